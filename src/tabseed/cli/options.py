"""What several commands take: options, and the table that they describe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabseed.errors import SchemaError
from tabseed.hardness import SCORERS
from tabseed.inductive_bias import BIASES

if TYPE_CHECKING:
    from tabseed.table import Table

FILE, COLUMN, N = "FILE", "COLUMN", "N"  # what an option takes, as help shows it

CONTROLS = ("continued", "stage-one")  # for studies, in Python
OFFERED = ("none", *(name for name in BIASES if name not in CONTROLS))  # by --bias

Data = Annotated[
    Path, typer.Argument(metavar="DATA", help="CSV, TSV, Parquet, Arrow or DuckDB file.")
]
Out = Annotated[
    Path, typer.Option("--output", "-o", metavar=FILE, help="Write synthetic rows here.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Seed = Annotated[
    int,
    typer.Option("--seed", min=0, metavar=N, help="Decides all that is random: same seed, same."),
]
Sql = Annotated[
    str | None,
    typer.Option(
        "--sql", metavar="QUERY", help="Ask a DuckDB file, or any other table file as 'data'."
    ),
]
Encoding = Annotated[
    str, typer.Option("--encoding", metavar="NAME", help="Of text files, such as latin-1.")
]
Predicted = Annotated[
    str, typer.Option("--target", metavar=COLUMN, help="The column to be predicted.")
]
Method = Annotated[
    str, typer.Option("--method", metavar="NAME", help=f"How to score: {', '.join(SCORERS)}.")
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="COLUMN=KIND",
        help="Set a column's kind: continuous, integer, boolean, categorical, ordinal, id, text, "
        "datetime or datetime:%d/%m/%Y; may be repeated.",
    ),
]
SchemaFile = Annotated[
    Path | None,
    typer.Option("--schema", metavar=FILE, help="Kinds of the columns, from info --save-schema."),
]
Bias = Annotated[
    str,
    typer.Option(
        "--bias",
        metavar="NAME",
        help="Train twice, the second time from weights made of the first's seeds: "
        f"{', '.join(OFFERED[:-1])} or {OFFERED[-1]}, which uses one only if it surely helps.",
    ),
]
Target = Annotated[
    str | None, typer.Option("--target", metavar=COLUMN, help="The column to be predicted.")
]
Report = Annotated[
    Path | None, typer.Option("--report", metavar=FILE, help="Write an HTML page of the judgement.")
]
Spreadsheet = Annotated[
    bool,
    typer.Option("--for-spreadsheet", help="Defuse text that a spreadsheet would run (CSV only)."),
]


@dataclass(frozen=True)
class Source:
    """Where a table lies and what the user says of its columns."""

    path: Path
    schema: Path | None = None
    kinds: Sequence[str] | None = None
    sql: str | None = None
    encoding: str = "utf-8"

    def read(self) -> Table:
        """Read the table; what it does not fit is said with the file's name."""
        from tabseed.table import Table
        from tabseed.table.files import read_schema, read_table, text_columns

        schema = read_schema(self.schema) if self.schema else None
        kinds = dict(map(_parse_kind, self.kinds or ()))
        as_text = text_columns(schema or ()) | {
            n for n, k in kinds.items() if k.startswith("datetime:")
        }
        frame = read_table(self.path, sql=self.sql, encoding=self.encoding, text_columns=as_text)
        try:
            return Table.from_frame(frame, schema=schema, kinds=kinds)
        except SchemaError as error:
            raise SchemaError(f"{self.path}: {error}") from error


def _parse_kind(text: str) -> tuple[str, str]:
    name, equals, kind = text.rpartition("=")
    if not equals or not name:
        raise SchemaError(f"--kind {text!r}: write it as COLUMN=KIND, as in zip=categorical")
    return name, kind


def read_like(path: Path, table: Table, what: str, encoding: str = "utf-8") -> Table:
    """Read a further file of the columns of ``table``."""
    from tabseed.metrics.leakage import conform
    from tabseed.table.files import read_table, text_columns

    frame = read_table(path, encoding=encoding, text_columns=text_columns(table.schema))
    return conform(frame, table.schema.modelled, what)
