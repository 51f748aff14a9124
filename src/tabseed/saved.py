"""Read saved generators: the only module that knows which classes a file may hold."""

from __future__ import annotations

import os

from tabseed.archive import FORMAT, estimator_from_plain, read_archive, stream_from_plain, under
from tabseed.coding.encode import TableEncoder
from tabseed.errors import FileError, MissingDependencyError, TabseedError
from tabseed.generators import GENERATORS
from tabseed.generators.base import Generator
from tabseed.table.schema import Schema

# generators that wrap another one, (module, class)
WRAPPERS: tuple[tuple[str, str], ...] = (
    ("tabseed.inductive_bias.fine_tuned", "FineTuned"),
    ("tabseed.augment.stopping", "KSStopped"),
)

_UNSOUND = (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError)


def load(path: str | os.PathLike[str]) -> Generator:
    """Return the generator that :meth:`Generator.save` wrote; it draws the same rows."""
    documents, arrays = read_archive(path, ("config", "schema"))
    try:
        config = documents["config"]
        if config["format"] > FORMAT:
            raise FileError(f"{path}: written by a newer tabseed; update this one")
        homes = (*GENERATORS.values(), *WRAPPERS)
        if config["generator"] not in (name for _, name in homes):
            raise FileError(f"{path}: holds an unknown generator, {config['generator']!r}")
        plain = {"class": config["generator"], "parameters": config["parameters"]}
        generator: Generator = estimator_from_plain(plain, homes)
        schema = Schema.from_dict(documents["schema"])
        generator.schema_ = schema
        generator.target_, generator.n_rows_ = config["target"], int(config["n_rows"])
        generator._stream = stream_from_plain(config["stream"])
        generator.encoder_ = TableEncoder.from_state(
            config["encoder"], under("encoder.", arrays), schema
        )
        generator._restore(config["state"], under("model.", arrays))
        generator.sample(2, random_state=0)  # shapes that do not fit raise here, not later
    except (FileError, MissingDependencyError):
        raise
    except (*_UNSOUND, TabseedError) as error:
        reason = " ".join(str(error).split())
        raise FileError(f"{path}: not a sound model file: {reason}") from error
    return generator
