"""Rules on the command line: declared, found, and the rows that break them."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tabseed.cli.console import Output, emit
from tabseed.errors import FileError, SchemaError, printable

if TYPE_CHECKING:
    from tabseed.table import Table

FOUND = "found"  # the value of --rules that takes what is found
MOST_BYTES = 2**20
COMMENT = re.compile(r"""(?:[^#"']|"[^"]*"|'[^']*'|["'])*""")  # a line up to its comment


@dataclass(frozen=True)
class Declared:
    """What a user says of all rows, and whether rows that break it are left out."""

    texts: Sequence[str] = ()
    file: str | None = None
    drop: bool = False

    def of(self, table: Table) -> Table:
        """Return the table with its rules, without rows that break them if these are dropped."""
        from tabseed.rules.meaning import check_kept, read_rules
        from tabseed.rules.search import find_rules

        texts = [*self.texts]
        if self.file == FOUND:
            found = find_rules(table.select(table.schema.modelled))
            texts += _holding([str(p.statement) for p in found], table)
        elif self.file is not None:
            texts += _read(Path(self.file), table)
        if not texts and not table.schema.rules:
            if self.drop:
                raise SchemaError("--drop-breaking needs rules: --rule or --rules")
            return table
        table = table.from_frame(table, rules=texts)
        rules = read_rules(table.schema.rules, table)
        if self.drop:
            return _without_breaking(table, rules)
        try:
            check_kept(rules, table, "table")
        except SchemaError as error:
            raise SchemaError(f"{error}; --drop-breaking leaves such rows out") from error
        return table


NO_RULES = Declared()


def _holding(texts: Sequence[str], table: Table) -> list[str]:
    """Return the rules that every row keeps exactly."""
    from tabseed.rules.meaning import breaking, read_rules

    return [text for text in texts if not breaking(read_rules([text], table), table)]


def _read(path: Path, table: Table) -> list[str]:
    """Return the rules of a file, a line each; what follows a # outside quotes is a comment."""
    from tabseed.rules.meaning import read_rules
    from tabseed.table.files import read_small

    try:
        lines = read_small(path, MOST_BYTES, "a file of rules").decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not a readable file of rules: {error}") from error
    texts = []
    for at, line in enumerate(lines):
        text = COMMENT.match(line)[0].strip()  # type: ignore[index]
        if not text:
            continue
        try:
            read_rules([text], table)
        except SchemaError as error:
            raise SchemaError(f"{path}, line {at + 1}: {error}") from error
        texts.append(text)
    if not texts:
        raise FileError(f"{path}: holds no rule")
    return texts


def _without_breaking(table: Table, rules: Sequence[object]) -> Table:
    import numpy as np

    from tabseed.rules.meaning import breaking
    from tabseed.table.display import counted

    broken = breaking(rules, table)  # type: ignore[arg-type]
    for rule, rows in broken.items():
        broke = "breaks" if len(rows) == 1 else "break"
        line = f"left out   {counted(len(rows), 'row')} that {broke} {rule}"
        emit(printable(line), sys.stderr)
    out = np.unique(np.concatenate([*broken.values(), np.empty(0, dtype=np.int64)]))
    if len(out) == len(table):
        raise SchemaError("every row breaks a rule, so none is left")
    return table.take(np.setdiff1d(np.arange(len(table)), out))


def say_found(out: Output, table: Table) -> None:
    """Print the rules that the rows keep, and those that all but a few keep."""
    from tabseed.rules.search import find_rules, find_slips

    found = find_rules(table.select(table.schema.modelled))
    lines = []
    for pattern in found:
        evidence = pattern.evidence
        if evidence is None:
            continue
        text = str(pattern.statement)
        broken = evidence.rows - evidence.kept
        lines.append(
            {"rule": text, "rows": evidence.rows, "broken": broken, "by_chance": evidence.by_chance}
        )
    out.result["rules"] = lines
    slips = find_slips(table.select(table.schema.modelled))
    out.result["slips"] = [
        {"rule": str(slip.pattern.statement), "rows": [row + 1 for row in slip.rows]}
        for slip in slips
    ]
    if not lines:
        out.say("rules", "none that chance would not show")
    else:
        out.rows(
            ("rule", "rows", "broken", "by chance"),
            [
                [
                    str(line["rule"]),
                    str(line["rows"]),
                    str(line["broken"]),
                    f"{line['by_chance']:.1%}",
                ]
                for line in lines
            ],
        )
    for slip in slips:
        out.say("slip?", slip)
