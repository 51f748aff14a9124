"""What ``synth`` and ``sample`` do with a generator: make it, fit it, draw from it."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabseed.cli.console import Output, emit
from tabseed.cli.options import OFFERED
from tabseed.cli.progress import progress_bar
from tabseed.errors import (
    FileError,
    NoTargetWarning,
    OrthogonalSeedsWarning,
    TabseedError,
    printable,
)
from tabseed.hardness import scorer_class

if TYPE_CHECKING:
    import numpy as np

    from tabseed.cli.wanted import Wanted
    from tabseed.table import Table


ONE, SEVERAL = "pretrain", ("drs", "maml")  # biases with one teacher, and with several
MOST_RULES = 5  # broken rules that are printed


def make_generator(
    name: str | None, options: dict[str, Any], bias: str, seed: int, teachers: Sequence[str] = ()
) -> Any:
    """Make the generator of this name; options that are None are not passed on.

    Without a name: trees, or vaebgm if there is a bias, or an option that only networks have.
    With a bias, return a FineTuned around the generator: it takes the seed, and the generator
    inside takes the options. ``teachers`` are the names of those of the bias.
    """
    from tabseed.generators import GENERATORS, generator_class

    if bias not in OFFERED:
        raise FileError(f"--bias {bias!r} is not one of {', '.join(OFFERED)}")
    _check_teachers(teachers, bias, tuple(GENERATORS))
    settings = {key: value for key, value in options.items() if value is not None}
    name = name or ("trees" if bias == "none" and not settings else "vaebgm")
    if name not in GENERATORS:
        raise FileError(f"--generator {name!r} is not one of {', '.join(GENERATORS)}")
    generator = generator_class(name)(random_state=seed)
    for key in settings:
        if key not in generator.get_params():
            raise FileError(f"--{key}: {name} has no such option")
    generator.set_params(**settings)
    if bias == "none":
        return generator
    if "n_seeds" not in generator.get_params():
        raise FileError(
            f"--bias {bias}: {name} has no seeds to learn from; choose a generator with seeds, "
            "such as vaebgm, or no bias"
        )
    from tabseed.inductive_bias import bias_class
    from tabseed.inductive_bias.fine_tuned import FineTuned

    inner = generator.set_params(random_state=None)
    made = bias_class(bias)()
    if teachers:
        several = [generator_class(teacher)() for teacher in teachers]
        made.set_params(**({"teacher": several[0]} if bias == ONE else {"teachers": several}))
    return FineTuned(inner, made, random_state=seed)


def _check_teachers(teachers: Sequence[str], bias: str, names: Sequence[str]) -> None:
    if not teachers:
        return
    for teacher in teachers:
        if teacher not in names:
            raise FileError(f"--teacher {teacher!r} is not one of {', '.join(names)}")
    if bias not in (ONE, *SEVERAL):
        raise FileError(f"--teacher: only --bias {ONE}, {' or '.join(SEVERAL)} learns from one")
    if bias == ONE and len(teachers) > 1:
        raise FileError(f"--bias {ONE} has one --teacher; --bias {SEVERAL[0]} takes several")


def learn(out: Output, maker: Any, table: Table, target: str | None, resume: Path | None) -> None:
    """Fit, with a progress bar, and print the summary."""
    from tabseed.estimates.words import few_rows
    from tabseed.table.display import counted

    start = time.perf_counter()
    try:
        with progress_bar("learning") as progress, _orthogonality() as notes:
            maker.fit(table, target=target, progress=progress, checkpoint=resume)
    except TabseedError:
        raise
    except BaseException:
        if resume is not None and resume.is_file():
            text = f"{resume} holds the state of training; run the same command to go on from it"
            emit(printable(text), sys.stderr)
        raise
    seconds = time.perf_counter() - start
    name = type(getattr(maker, "generator", maker)).__name__  # with a bias: the one inside
    columns = list(table.schema.modelled.names)
    summary = list(maker.summary())
    out.result |= {
        "generator": name,
        "bias_used": _bias_used(maker),
        "rows_learned": len(table),
        "columns": columns,
        "learned": summary,
        "seconds_to_learn": round(seconds, 3),
    }
    out.say(
        "learned",
        f"{counted(len(columns), 'column')} of {len(table)} rows, {name}, {seconds:.1f} s",
    )
    for line in summary:
        out.say("note" if line in notes else "", line)
    for line in few_rows({"training": len(table)}):
        out.say("note", line)


def _bias_used(maker: Any) -> str | None:
    """Return the name of the bias's class; None if there is no bias, or none was chosen."""
    bias = getattr(maker, "bias_", None)
    name = type(bias).__name__
    return None if bias is None or name == "StageOne" else name


@contextmanager
def _orthogonality() -> Iterator[list[str]]:
    """Collect warnings from averaging instead of printing them: the summary contains them too."""
    notes: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", OrthogonalSeedsWarning)
        warnings.simplefilter("ignore", NoTargetWarning)  # the summary says it
        show = warnings.showwarning

        def collect(message: Warning | str, category: type[Warning], *rest: Any) -> None:
            if issubclass(category, OrthogonalSeedsWarning):
                notes.append(str(message))
            else:
                show(message, category, *rest)

        warnings.showwarning = collect  # type: ignore[assignment]
        yield notes


def draw(out: Output, maker: Any, wanted: Wanted, stream: np.random.SeedSequence) -> Table:
    """Draw rows and print how many, and how long it took."""
    from tabseed.table.display import counted

    start = time.perf_counter()
    with progress_bar("drawing"):
        rows = wanted.draw(maker, stream)
    out.result["rows"] = len(rows)
    out.say("drew", f"{counted(len(rows), 'row')}, {time.perf_counter() - start:.1f} s")
    return rows


def completed(
    out: Output, maker: Any, path: Path, copies: int, stream: np.random.SeedSequence
) -> list[Table]:
    """Fill the missing cells of the rows of a file, and print how many."""
    from tabseed.generators.completion import complete
    from tabseed.table import Table as Rows
    from tabseed.table.display import counted
    from tabseed.table.files import read_table, text_columns

    schema = maker.encoder_.table_schema_
    frame = read_table(path, text_columns=text_columns(schema))
    with progress_bar("completing") as progress:
        tables = complete(maker, frame, copies=copies, random_state=stream, progress=progress)
    names = set(frame.column_names)
    gaps = sum(frame[c.name].null_count if c.name in names else len(frame) for c in schema)
    out.result |= {"rows": len(frame), "filled": gaps, "copies": copies}
    out.say("filled", f"{counted(gaps, 'cell')} of {counted(len(frame), 'row')}, {copies}x")
    found: list[Rows] = tables
    return found


def say_broken_rules(out: Output, train: Table, synthetic: Table) -> None:
    """Print the rules that the training rows keep and more synthetic rows than chance break."""
    from tabseed.metrics.rules import check_rules, rules_of

    real = train.select(synthetic.schema)
    broken = [k for k in check_rules(rules_of(real), (real,), synthetic) if k.broken]
    out.result["broken_rules"] = [kept.to_dict() for kept in broken]
    for kept in broken[:MOST_RULES]:
        out.say("broken", f"{kept}")
    if len(broken) > MOST_RULES:
        out.say("", f"and {len(broken) - MOST_RULES} more rules; --report lists them")
    if broken:
        out.say("", "to keep them: --rule, or --rules found")


def make_scorer(method: str, options: dict[str, Any], **settings: Any) -> Any:
    """Make the scorer of this name; FileError for an option that it does not have."""
    scorer = scorer_class(method)(**settings)
    names = {"n_neighbors": "--neighbors", "model": "--model"}
    for key, value in options.items():
        if value is None:
            continue
        if key not in scorer.get_params():
            raise FileError(f"{names[key]}: {method} has no such option")
        scorer.set_params(**{key: value})
    if "n_jobs" in scorer.get_params():
        scorer.set_params(n_jobs=-1)  # any number of jobs gives the same bytes
    return scorer


def write(
    out: Output, table: Table, path: Path, force: bool, for_spreadsheet: bool, plain: bool
) -> None:
    """Write a table and print its path."""
    from tabseed.table.files import write_table

    write_table(table, path, force=force, for_spreadsheet=for_spreadsheet, plain=plain)
    out.result["output"] = str(path)
    out.say("table", path)


def save_model(out: Output, maker: Any, path: Path | None, force: bool) -> None:
    """Save the generator, if there is a path for it, and print its size and what it holds."""
    from tabseed.table.files import atomic_write

    if path is None:
        return
    with atomic_write(path, force=force) as part:
        maker.save(part, force=True)
    out.result |= {"model": str(path), "model_holds": maker.holds.to_dict()}
    out.say("model", f"{path}: {path.stat().st_size:,} bytes")


def numbered(output: Path, count: int) -> list[Path]:
    """Return the files of several tables: out.csv, or out-1.csv, out-2.csv, ..."""
    if count == 1:
        return [output]
    suffixes = "".join(output.suffixes)
    stem = output.name.removesuffix(suffixes)
    return [output.with_name(f"{stem}-{k + 1}{suffixes}") for k in range(count)]
