"""What ``synth`` and ``sample`` do with a generator: make it, let it learn, draw from it."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabseed.cli.console import Output, emit, progress_bar
from tabseed.cli.options import OFFERED
from tabseed.errors import FileError, OrthogonalSeedsWarning, TabseedError, printable
from tabseed.hardness import scorer_class

if TYPE_CHECKING:
    import numpy as np

    from tabseed.table import Table


def make_generator(name: str | None, options: dict[str, Any], bias: str, seed: int) -> Any:
    """Make the generator of this name; an option left at its default is not passed on.

    Without a name: trees, or vaebgm where a bias or an option is given that only networks have.
    With a bias it goes into a FineTuned, which has the seed then; options are for the one inside.
    """
    from tabseed.generators import GENERATORS, generator_class

    if bias not in OFFERED:
        raise FileError(f"--bias {bias!r}: there are {', '.join(OFFERED)}")
    given = {key: value for key, value in options.items() if value is not None}
    name = name or ("trees" if bias == "none" and not given else "vaebgm")
    if name not in GENERATORS:
        raise FileError(f"--generator {name!r}: there are {', '.join(GENERATORS)}")
    generator = generator_class(name)(random_state=seed)
    for key in given:
        if key not in generator.get_params():
            raise FileError(f"--{key}: {name} has no such option")
    generator.set_params(**given)
    if bias == "none":
        return generator
    if "n_seeds" not in generator.get_params():
        raise FileError(
            f"--bias {bias}: {name} has no seeds to learn from; take a generator that has, "
            "such as vaebgm, or no bias"
        )
    from tabseed.inductive_bias import bias_class
    from tabseed.inductive_bias.fine_tuned import FineTuned

    inner = generator.set_params(random_state=None)
    return FineTuned(inner, bias_class(bias)(), random_state=seed)


def learn(out: Output, maker: Any, table: Table, target: str | None, resume: Path | None) -> None:
    """Fit, with a progress bar, and say what was learned."""
    began = time.perf_counter()
    try:
        with progress_bar() as progress, _orthogonality() as notes:
            maker.fit(table, target=target, progress=progress, checkpoint=resume)
    except TabseedError:
        raise
    except BaseException:
        if resume is not None and resume.is_file():
            emit(printable(f"{resume} keeps the training; the same command goes on"), sys.stderr)
        raise
    seconds = time.perf_counter() - began
    name = type(getattr(maker, "generator", maker)).__name__  # with a bias: of the one inside
    columns = list(table.schema.modelled.names)
    learned = list(maker.summary())
    out.result |= {
        "generator": name,
        "bias_used": _bias_used(maker),
        "rows_learned": len(table),
        "columns": columns,
        "learned": learned,
        "seconds_to_learn": round(seconds, 3),
    }
    out.say("learned", f"{len(columns)} columns of {len(table)} rows, {name}, {seconds:.1f} s")
    for line in learned:
        out.say("note" if line in notes else "", line)


def _bias_used(maker: Any) -> str | None:
    """Name the class of the bias; None where there is none, or none was chosen."""
    bias = getattr(maker, "bias_", None)
    name = type(bias).__name__
    return None if bias is None or name == "StageOne" else name


@contextmanager
def _orthogonality() -> Iterator[list[str]]:
    """Collect what averaging warns of, which the summary says too, instead of printing it."""
    notes: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", OrthogonalSeedsWarning)
        show = warnings.showwarning

        def kept(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, OrthogonalSeedsWarning):
                notes.append(str(message))
            else:
                show(message, category, *where)

        warnings.showwarning = kept  # type: ignore[assignment]
        yield notes


def draw(out: Output, maker: Any, n: int, stream: np.random.SeedSequence) -> Table:
    """Draw rows and say so."""
    began = time.perf_counter()
    rows: Table = maker.draw(n, random_state=stream)
    out.result["rows"] = n
    out.say("drew", f"{n} rows, {time.perf_counter() - began:.1f} s")
    return rows


def make_scorer(method: str, options: dict[str, Any], **settings: Any) -> Any:
    """Make the scorer of this name; an option that it does not have is refused."""
    scorer = scorer_class(method)(**settings)
    names = {"n_neighbors": "--neighbors", "model": "--model"}
    for key, value in options.items():
        if value is None:
            continue
        if key not in scorer.get_params():
            raise FileError(f"{names[key]}: {method} has no such option")
        scorer.set_params(**{key: value})
    if "n_jobs" in scorer.get_params():
        scorer.set_params(n_jobs=-1)  # any number gives the same bytes
    return scorer


def write(out: Output, table: Table, path: Path, force: bool, for_spreadsheet: bool) -> None:
    """Write a table and say where."""
    from tabseed.table.files import write_table

    write_table(table, path, force=force, for_spreadsheet=for_spreadsheet)
    out.result["output"] = str(path)
    out.say("table", path)
