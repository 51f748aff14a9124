"""The command ``tabseed augment``."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tabseed.augment import EQUAL, HARDEST
from tabseed.cli.console import Output, guarded
from tabseed.cli.learning import make_generator, make_scorer
from tabseed.cli.options import (
    COLUMN,
    FILE,
    AsJson,
    Data,
    Decimal,
    Encoding,
    Force,
    Kinds,
    Method,
    N,
    PlainCsv,
    Predicted,
    SchemaFile,
    Seed,
    Source,
    Spreadsheet,
    Sql,
    Thousands,
    check_classes,
)
from tabseed.cli.progress import progress_bar
from tabseed.cli.streams import Use, stream_for
from tabseed.errors import (
    AbsentClassWarning,
    FileError,
    SchemaError,
    TabseedError,
    TooFewRowsError,
)
from tabseed.generators import GENERATORS

if TYPE_CHECKING:
    import numpy as np

    from tabseed.augment.protocol import AugmentationEvaluation
    from tabseed.table import Table

FEW = 10  # rows: of fewer the added ones are much alike
_SHARE = re.compile(r"(.*?)=\s*(\d*\.?\d+)\s*(?:,|$)", re.DOTALL)


@guarded
def augment(
    data: Data,
    target: Predicted,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar=FILE, help="Write the rows and the added ones here."
        ),
    ],
    hardest: Annotated[
        float,
        typer.Option(
            "--hardest",
            metavar="SHARE",
            help="Share of the rows to learn from, the hardest; 1: all rows, without scores.",
        ),
    ] = HARDEST,
    amount: Annotated[
        float | None,
        typer.Option("--amount", metavar="X", help="Rows to add per hard row; 1 if not given."),
    ] = None,
    balance: Annotated[
        str | None,
        typer.Option(
            "--balance",
            metavar="SHARES",
            help="Add as many rows of each class as make all classes equally large (equal), or "
            "give them these shares: yes=0.4,no=0.6.",
        ),
    ] = None,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Take the hardest share of each class.")
    ] = False,
    skip: Annotated[
        list[str] | None,
        typer.Option(
            "--skip",
            metavar="HINT",
            help="Do not learn from rows with this hint, such as mislabelled; repeat for several.",
        ),
    ] = None,
    generator: Annotated[
        str,
        typer.Option(
            "--generator", metavar="NAME", help=f"The generator: {', '.join(GENERATORS)}."
        ),
    ] = "trees",
    method: Method = "knn-shapley",
    provenance: Annotated[
        str | None,
        typer.Option(
            "--provenance", metavar=COLUMN, help="Add a column that is true for added rows."
        ),
    ] = None,
    splits: Annotated[
        int,
        typer.Option(
            "--splits",
            min=0,
            metavar=N,
            help="Number of splits of the rows for the verdict; 0: no verdict.",
        ),
    ] = 10,
    report: Annotated[
        Path | None, typer.Option("--report", metavar=FILE, help="Write an HTML page.")
    ] = None,
    schema: SchemaFile = None,
    kind: Kinds = None,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = None,
    thousands: Thousands = None,
    seed: Seed = 0,
    force: Force = False,
    for_spreadsheet: Spreadsheet = False,
    plain_csv: PlainCsv = False,
    as_json: AsJson = False,
) -> None:
    """Add rows like the hardest ones, and say whether that helps."""
    from tabseed.coding.labels import target_note
    from tabseed.table.files import check_outputs, check_spreadsheet, write_table

    check_outputs([output], [report], [data, schema], force)
    check_spreadsheet(output, for_spreadsheet)
    if report is not None and (splits == 0 or hardest == 1):
        option = "--splits 2 or more" if splits == 0 else "a share with --hardest"
        raise TabseedError(f"--report shows the verdict, and so there is none; give {option}")
    if splits == 1:
        raise TabseedError("--splits 1: a verdict needs 2 splits or more; 0 leaves it out")
    _check_skip(skip or [])
    scorer = make_scorer(method, {})
    table = Source(data, schema, kind, sql, encoding, decimal, thousands).read()
    settings = {
        "generator": make_generator(generator, {}, "none", seed),
        "scorer": None if hardest == 1 else scorer,
        "hardest": hardest,
        "amount": _amount(amount, balance),
        "per_class": per_class,
        "skip": tuple(skip) if skip else None,
    }
    out = Output(as_json, {"target": target, "generator": generator, "method": method})
    out.say_read(data, table)
    augmenter, features, labels = _prepared(table, target, settings)
    whole = _augmented(out, table, target, augmenter, (features, labels, provenance), seed)
    answer = None
    remarks = target_note(table.schema, target)
    remarks += _remarks(augmenter, labels, len(whole) - len(table))
    if splits and hardest < 1:
        about = {"target": target, "remarks": remarks}
        answer = _verdict(out, about, augmenter, (features, labels), splits, seed)
    else:
        if splits:
            out.say(
                "verdict", "none: --hardest 1 leaves no other rows to compare with; give a share"
            )
        for line in remarks:
            out.say("note", line)
    write_table(whole, output, force=force, for_spreadsheet=for_spreadsheet, plain=plain_csv)
    out.result["output"] = str(output)
    out.say("table", output)
    if report is not None and answer is not None:
        out.report(answer, report, force)
    out.finish("augment")


def _check_skip(skip: list[str]) -> None:
    from tabseed.hardness.hints import HINTS

    for hint in skip:
        if hint not in HINTS or not hint:
            raise FileError(f"--skip {hint!r} is not one of {', '.join(filter(None, HINTS))}")


def _amount(amount: float | None, balance: str | None) -> float | str | dict[str, float]:
    """Return what the augmenter calls amount, from both options; FileError for unclear shares."""
    if balance is None:
        return 1.0 if amount is None else amount
    if amount is not None:
        raise FileError("--amount: --balance says how many rows to add; leave one of them out")
    if balance == EQUAL:
        return balance
    # a class may have a comma or an equals sign in its name: a share is what ends in a number
    shares = {name.strip(): float(share) for name, share in _SHARE.findall(balance)}
    if not shares or "" in shares or _SHARE.sub("", balance):
        raise FileError(
            f"--balance {balance!r}: write equal, or a share for each class, as in yes=0.4,no=0.6"
        )
    return shares


def _prepared(table: Table, target: str, settings: dict[str, Any]) -> tuple[Any, Table, Any]:
    """Return the augmenter, the columns that it models, and the labels."""
    from tabseed.augment.augmenter import TargetedAugmenter, TargetedRegressionAugmenter
    from tabseed.coding.labels import features_and_labels, task_of

    task = task_of(table.schema, target)
    shares = not isinstance(settings["amount"], float)
    if settings["per_class"] or shares:
        check_classes(table, target, "--per-class" if settings["per_class"] else "--balance")
    augmenter = TargetedRegressionAugmenter if task == "regression" else TargetedAugmenter
    return augmenter(**settings), *features_and_labels(table, target)


def _augmented(
    out: Output,
    table: Table,
    target: str,
    augmenter: Any,
    inputs: tuple[Table, Any, str | None],
    seed: int,
) -> Any:
    """Return the table with added rows below it; columns not modelled are missing in these."""
    import pyarrow as pa

    from tabseed.augment.quota import AmountError
    from tabseed.table.display import counted

    features, labels, provenance = inputs
    if provenance in table.schema.names:
        raise SchemaError(
            f"--provenance {provenance!r}: the table already has such a column; choose another name"
        )
    augmenter.set_params(random_state=stream_for(Use.AUGMENT, seed))
    with progress_bar("learning"), warnings.catch_warnings():
        warnings.simplefilter("ignore", AbsentClassWarning)  # the table of classes says it
        try:
            all_features, all_labels = augmenter.fit_resample(features, labels)
        except AmountError as error:
            option = "--amount" if isinstance(augmenter.amount, float) else "--balance"
            raise AmountError(f"{option}: {error}") from error
    n, k = len(table), int(augmenter.hard_.sum())
    below = all_features.to_arrow().slice(n)
    whole = table.to_arrow()
    columns = {}
    for name in whole.column_names:
        kind = whole.schema.field(name).type
        if name == target:
            columns[name] = pa.array(all_labels[n:].tolist()).cast(kind)
        elif name in below.column_names:
            columns[name] = below[name].cast(kind)
        else:
            columns[name] = pa.nulls(len(below), kind)
    whole = pa.concat_tables([whole, pa.table(columns, schema=whole.schema)])
    if provenance is not None:
        whole = whole.append_column(provenance, pa.array([i >= n for i in range(len(whole))]))
    out.result |= {"rows": n, "hard": k, "added": len(below)}
    chosen = f"{k} of {n} rows" if k < n else f"all {n} rows"
    out.say("learned", f"{chosen}, {type(augmenter.generator).__name__}")
    out.say("added", counted(len(below), "row"))
    _say_classes(out, labels, all_labels[n:])
    left_out = [c.name for c in table.schema.left_out]
    out.result["left_out"] = left_out
    for name in left_out:
        out.say("left out", f"column {name!r}: not modelled, so missing in added rows")
    return whole


def _remarks(augmenter: Any, labels: np.ndarray, n_added: int) -> tuple[str, ...]:
    """Return what to know of the added rows: classes without any, and few rows to learn from."""
    absent = tuple(
        f"No hard row is of class {label}, so none is added; --per-class adds some."
        for label in getattr(augmenter, "absent_classes_", [])
    )
    if not n_added:
        return absent
    learned = labels[augmenter.hard_]
    if augmenter.task == "regression":
        few = [f"{len(learned)} in all"] if len(learned) < FEW else []
    else:
        few = [f"{k} of class {label}" for label, k in Counter(learned.tolist()).items() if k < FEW]
    if not few:
        return absent
    return (
        *absent,
        f"Few rows were learned from ({', '.join(few)}): rows drawn from so few are much like "
        "these, which may be real people.",
    )


def _say_classes(out: Output, labels: np.ndarray, added: np.ndarray) -> None:
    """Print how many rows of each class there were, and how many there are."""
    if labels.dtype.kind == "f":
        return
    before, more = Counter(labels.tolist()), Counter(added.tolist())
    counts = {
        str(c): {"before": before[c], "added": more[c], "after": before[c] + more[c]}
        for c in sorted(before, key=lambda c: (-before[c], str(c)))
    }
    out.result["classes"] = counts
    header = ("class", "before", "added", "after")
    out.rows(header, [[name, *map(str, row.values())] for name, row in counts.items()])


def _verdict(
    out: Output,
    about: dict[str, Any],
    augmenter: Any,
    inputs: tuple[Table, Any],
    splits: int,
    seed: int,
) -> AugmentationEvaluation:
    from tabseed.augment.protocol import AugmentationProtocol, evaluate_augmentation

    with progress_bar("comparing") as progress:
        try:
            answer = evaluate_augmentation(
                *inputs,
                augmenter,
                protocol=AugmentationProtocol(splits=splits),
                random_state=stream_for(Use.JUDGE_AUGMENTATION, seed),
                n_jobs=-1,
                progress=progress,
            )
        except TooFewRowsError as error:
            raise TooFewRowsError(f"{error}; --splits 0 writes rows without a verdict") from error
    # the labels passed in have no name and no kind
    answer = replace(answer, classes=out.result.get("classes", {}), **about)
    out.result["evaluation"] = answer.to_dict()
    out.verdict(answer)
    out.answer(answer)
    return answer
