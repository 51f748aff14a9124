"""Read saved generators: the only module that knows which classes a file may hold."""

from __future__ import annotations

import operator
import os
import warnings

from tabseed.archive import (
    FORMAT,
    Arrays,
    Documents,
    estimator_from_plain,
    read_archive,
    stream_from_plain,
    under,
)
from tabseed.coding.encode import TableEncoder
from tabseed.errors import FileError, MissingDependencyError, one_line, shortened
from tabseed.generators import GENERATORS, PRIVATE
from tabseed.generators.base import Generator
from tabseed.inductive_bias import BIASES
from tabseed.parameters import PATH, check_parameters, checked, shown
from tabseed.table.schema import Schema

# generators that wrap another one, (module, class)
WRAPPERS: tuple[tuple[str, str], ...] = (
    ("tabseed.inductive_bias.fine_tuned", "FineTuned"),
    ("tabseed.augment.stopping", "KSStopped"),
    ("tabseed.blend.blend", "Blend"),
    ("tabseed.auto.auto", "Auto"),
)

MOST = 200  # characters of a reason
PROBED = 40  # rows that are drawn once, so that what does not fit together fails at once


@checked(path=PATH)
def load(path: str | os.PathLike[str]) -> Generator:
    """Return the generator that :meth:`Generator.save` wrote; it draws the same rows."""
    documents, arrays = read_archive(path, ("config", "schema"))
    try:
        # numpy only warns of much that is not a number; warnings are errors here
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            return _rebuilt(path, documents, arrays)
    except (FileError, MissingDependencyError):
        raise
    except MemoryError:
        raise FileError(f"{path}: not a sound model file: it needs too much memory") from None
    except Exception as error:  # a file by a stranger may be wrong in any way
        reason = one_line(error) or type(error).__name__
        raise FileError(f"{path}: not a sound model file: {shortened(reason, MOST)}") from error


def _rebuilt(path: str | os.PathLike[str], documents: Documents, arrays: Arrays) -> Generator:
    """Return the generator that documents and arrays describe, after it drew a few rows."""
    config = documents["config"]
    if config["format"] > FORMAT:
        raise FileError(f"{path}: written by a newer tabseed; update this one")
    homes = (*GENERATORS.values(), PRIVATE, *WRAPPERS)
    if config["generator"] not in (name for _, name in homes):
        raise FileError(f"{path}: holds an unknown generator, {shown(config['generator'])}")
    plain = {"class": config["generator"], "parameters": config["parameters"]}
    # a bias may hold teachers, which are generators of any class
    generator: Generator = estimator_from_plain(plain, (*homes, *BIASES.values()))
    check_parameters(generator)
    schema = Schema.from_dict(documents["schema"])
    generator.schema_ = schema
    generator.target_, generator.n_rows_ = config["target"], operator.index(config["n_rows"])
    if generator.target_ is not None:
        schema[generator.target_]  # an unknown name raises
    if generator.n_rows_ < 0:
        raise ValueError(f"a table of {generator.n_rows_} rows")
    generator._stream = stream_from_plain(config["stream"])
    generator.encoder_ = TableEncoder.from_state(
        config["encoder"], under("encoder.", arrays), schema
    )
    generator._restore(config["state"], under("model.", arrays))
    for n in (2, PROBED):  # the first few: a file may ask for very much work a row
        generator.sample(n, random_state=0)
    generator.summary()
    return generator
