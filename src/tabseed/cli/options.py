"""Options that several commands share, and the table that they describe."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabseed.cli.console import emit
from tabseed.cli.rules import NO_RULES, Declared
from tabseed.errors import SchemaError, printable
from tabseed.hardness import SCORERS
from tabseed.inductive_bias import BIASES

if TYPE_CHECKING:
    from tabseed.table import Table

FILE, COLUMN, N = "FILE", "COLUMN", "N"  # values of options, as help shows them

CONTROLS = ("continued", "stage-one")  # biases for studies, in Python only
OFFERED = ("none", *(name for name in BIASES if name not in CONTROLS))  # values of --bias

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="CSV, TSV, Parquet, Arrow, DuckDB, Excel (file.xlsx#Sheet), SPSS, Stata or SAS file.",
    ),
]
Train = Annotated[
    Path, typer.Argument(metavar="TRAIN", help="The rows that the generator learned from.")
]
Out = Annotated[
    Path, typer.Option("--output", "-o", metavar=FILE, help="Write synthetic rows here.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Seed = Annotated[
    int,
    typer.Option(
        "--seed", min=0, metavar=N, help="Random seed; the same seed gives the same output."
    ),
]
Sql = Annotated[
    str | None,
    typer.Option(
        "--sql", metavar="QUERY", help="Query a DuckDB file, or any other table file as 'data'."
    ),
]
Encoding = Annotated[
    str, typer.Option("--encoding", metavar="NAME", help="Encoding of text files, such as latin-1.")
]
Decimal = Annotated[
    str | None,
    typer.Option(
        "--decimal", metavar="MARK", help="Decimal mark of text files, . or ,; else cells tell it."
    ),
]
Thousands = Annotated[
    str | None,
    typer.Option("--thousands", metavar="MARK", help="Thousands mark of text files, such as '."),
]
PlainCsv = Annotated[
    bool,
    typer.Option(
        "--plain-csv",
        help="Write CSV with commas, decimal points and UTF-8, not in the form of the input.",
    ),
]
Predicted = Annotated[str, typer.Option("--target", metavar=COLUMN, help="The column to predict.")]
Method = Annotated[
    str, typer.Option("--method", metavar="NAME", help=f"Method of scoring: {', '.join(SCORERS)}.")
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="COLUMN=KIND",
        help="Set a column's kind: continuous, integer, boolean, categorical, ordinal, id, text, "
        "datetime, also with a format (datetime:%d/%m/%Y, continuous:gaps); repeat for several "
        "columns.",
    ),
]
SchemaFile = Annotated[
    Path | None,
    typer.Option("--schema", metavar=FILE, help="Kinds of the columns, from info --save-schema."),
]
RuleTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--rule",
        metavar="RULE",
        help="What holds in every row, such as 'living = above + basement' or 'sex = male -> "
        "pregnant = no'; repeat for several. Generators keep it.",
    ),
]
RulesFile = Annotated[
    str | None,
    typer.Option(
        "--rules",
        metavar=FILE,
        help="A file of rules, one a line; or found: all rules that info --rules finds.",
    ),
]
DropBreaking = Annotated[
    bool, typer.Option("--drop-breaking", help="Leave out the rows that break a rule, and say so.")
]
Bias = Annotated[
    str,
    typer.Option(
        "--bias",
        metavar="NAME",
        help="Train twice, the second time from weights made from the seeds of the first: "
        f"{', '.join(OFFERED[:-1])} or {OFFERED[-1]}, which uses one only if it clearly helps.",
    ),
]
Teachers = Annotated[
    list[str] | None,
    typer.Option(
        "--teacher",
        metavar="NAME",
        help="With --bias pretrain, drs or maml: the generator whose rows it learns from, instead "
        "of those of its own seeds, such as trees; repeat for several (drs, maml).",
    ),
]
Target = Annotated[
    str | None, typer.Option("--target", metavar=COLUMN, help="The column to predict.")
]
Sensitive = Annotated[
    list[str] | None,
    typer.Option(
        "--sensitive",
        metavar=COLUMN,
        help="A column that nobody should learn of a person; repeat for several.",
    ),
]
Known = Annotated[
    list[str] | None,
    typer.Option(
        "--known",
        metavar=COLUMN,
        help="A column that an attacker knows of a person; repeat for several (if none is named, "
        "those that tell most of the sensitive ones).",
    ),
]
MaxAuc = Annotated[
    float | None,
    typer.Option(
        "--max-auc",
        metavar="AUC",
        help="Fail (exit code 3) if an attacker tells training rows from others better, such as "
        "0.6; guessing has 0.5.",
    ),
]
MaxDisclosure = Annotated[
    float | None,
    typer.Option(
        "--max-disclosure",
        metavar="SHARE",
        help="Fail (exit code 3) if an attacker is right about more of the training rows than of "
        "other people by this share, such as 0.09.",
    ),
]
Report = Annotated[
    Path | None, typer.Option("--report", metavar=FILE, help="Write the evaluation as HTML here.")
]
Spreadsheet = Annotated[
    bool,
    typer.Option("--for-spreadsheet", help="Defuse text that a spreadsheet would run (CSV only)."),
]


@dataclass(frozen=True)
class Source:
    """The file of a table, and what the user says about its columns."""

    path: Path
    schema: Path | None = None
    kinds: Sequence[str] | None = None
    sql: str | None = None
    encoding: str = "utf-8"
    decimal: str | None = None
    thousands: str | None = None
    rules: Declared = NO_RULES

    def read(self) -> Table:
        """Read the table; SchemaError, with the file's name, if it does not fit."""
        from tabseed.table import Table
        from tabseed.table.columns import check_whole
        from tabseed.table.files import read_schema, read_table, text_columns
        from tabseed.table.index import index_notes
        from tabseed.table.notation.dates import keeps_text
        from tabseed.table.notation.dialect import Dialect, own_metadata

        schema = read_schema(self.schema) if self.schema else None
        kinds = dict(map(_parse_kind, self.kinds or ()))
        texts = text_columns(schema or ()) | {
            n: frozenset()
            for n, k in kinds.items()
            if k.startswith("datetime:") and keeps_text(k.removeprefix("datetime:"))
        }
        frame = read_table(
            self.path,
            sql=self.sql,
            encoding=self.encoding,
            text_columns=texts,
            decimal=self.decimal,
            thousands=self.thousands,
        )
        if self.decimal is not None and own_metadata(frame.schema) is None:
            # not a text file, but others that it meets, and what is written, may be
            separator = ";" if self.decimal == "," else ","
            frame = Dialect(separator, self.decimal).attached(frame)
        for name, reason in index_notes(frame).items():
            line = f"left out   column {name!r}: {reason.removesuffix(': left out')}"
            emit(printable(line), sys.stderr)
        try:
            table = self.rules.of(Table.from_frame(frame, schema=schema, kinds=kinds).of_file())
            for column in schema or ():  # another table may have reals there, not this one
                if column.kind == "integer":
                    check_whole(column, table.numbers(column.name))
            return table
        except SchemaError as error:
            raise SchemaError(f"{self.path}: {error}") from error


def _parse_kind(text: str) -> tuple[str, str]:
    from tabseed.table.schema import KINDS

    # a name may have an equals sign, and so may a pattern, as in seen=datetime:%d=%m=%Y
    known = re.fullmatch(rf"(.*)=((?:{'|'.join(KINDS)})(?::.*)?)", text, re.DOTALL)
    name, equals, kind = (known[1], "=", known[2]) if known else text.rpartition("=")
    if not equals or not name:
        raise SchemaError(f"--kind {text!r}: write it as COLUMN=KIND, as in zip=categorical")
    return name, kind


def check_classes(table: Table, target: str, option: str) -> None:
    """Raise SchemaError for an option that needs classes if the target is a number."""
    from tabseed.coding.labels import task_of
    from tabseed.table.display import kind_option

    if task_of(table.schema, target) == "regression":
        raise SchemaError(
            f"{option} needs classes, and column {target!r} is read as a number; leave it out, or "
            f"make classes of it with {kind_option(target, 'categorical')}"
        )


def read_like(path: Path, table: Table, role: str, encoding: str = "utf-8") -> Table:
    """Read another file with the columns of ``table``; messages call it the ``role`` table."""
    from tabseed.metrics.leakage import conform
    from tabseed.table.files import read_table, text_columns
    from tabseed.table.notation.dialect import decimal_of

    frame = read_table(
        path,
        encoding=encoding,
        text_columns=text_columns(table.schema),
        expected_decimal=decimal_of(table.to_arrow()),
    )
    return conform(frame, table.schema.modelled, role)
