"""How real and synthetic rows keep the patterns of real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from scipy.stats import hypergeom

from tabseed.rules.meaning import Rule, read_rules
from tabseed.rules.search import find_rules
from tabseed.rules.tree import Group
from tabseed.table import Table

FALSE_ALARM = 0.05  # at most, of any rule that is called broken


@dataclass(frozen=True)
class Kept:
    """How real and synthetic rows keep a rule: rows that it rules, and rows that break it.

    ``broken``: more synthetic rows break it than real ones would, beyond chance.
    """

    rule: str
    columns: tuple[str, ...]
    n_real: int
    n_real_broken: int
    n_synthetic: int
    n_synthetic_broken: int
    broken: bool

    @property
    def share(self) -> float:
        """The share of synthetic rows that break it, of those that it rules."""
        return self.n_synthetic_broken / max(self.n_synthetic, 1)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return {**asdict(self), "columns": list(self.columns), "share": self.share}

    def __str__(self) -> str:
        kept = self.n_real - self.n_real_broken
        real = f"all {self.n_real}" if kept == self.n_real else f"{kept} of {self.n_real}"
        n, m = self.n_synthetic_broken, self.n_synthetic
        return f"{self.rule} holds in {real} real rows; {n} of {m} synthetic rows break it"


class Stated(Protocol):
    """A statement about rows: a pattern that was found, or a rule that somebody declared."""

    @property
    def text(self) -> str:
        """The statement as people write it."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""

    def broken(self, table: Table) -> np.ndarray:
        """Return (n,) 1 where a row breaks it, 0 where it keeps it, NaN where neither."""


@dataclass(frozen=True)
class Declared:
    """A rule of the schema; ``seen`` are the rows whose combinations are allowed."""

    rule: Rule
    seen: Table

    @property
    def text(self) -> str:
        """The rule as people write it."""
        return str(self.rule)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        return self.rule.columns

    def broken(self, table: Table) -> np.ndarray:
        """Return where rows break the rule; see :class:`Stated`."""
        group = self.rule.statement
        combined = isinstance(group, Group) and group.sort == "combinations"
        return self.rule.broken(table, self.seen if combined else None)


def rules_of(real: Table) -> tuple[Stated, ...]:
    """Return the rules of a table's schema, and the patterns that its rows keep beside them."""
    names = set(real.schema.names)
    declared = [
        Declared(rule, real)
        for rule in read_rules(real.schema.rules, real)
        if names.issuperset(rule.columns)
    ]
    texts = {one.text for one in declared}
    return (*declared, *(found for found in find_rules(real) if found.text not in texts))


@np.errstate(all="ignore")  # numbers so far apart break a rule of course
def check_rules(
    rules: Sequence[Stated], real: Sequence[Table], synthetic: Table
) -> tuple[Kept, ...]:
    """Return how the rows of tables keep rules, those that most synthetic rows break first.

    A rule counts as broken if, of all rows that break it, so many are synthetic with probability
    below 5 % / (number of rules) where all rows are dealt at random.
    """
    checked = []
    for rule in rules:
        real_broken = np.concatenate([rule.broken(table) for table in real])
        fake_broken = rule.broken(synthetic)
        (n, k), (m, j) = (
            (int((~np.isnan(flags)).sum()), int(np.nansum(flags)))
            for flags in (real_broken, fake_broken)
        )
        chance = float(hypergeom.sf(j - 1, n + m, k + j, m))
        broken = j > 0 and chance < FALSE_ALARM / len(rules)
        checked.append(Kept(rule.text, rule.columns, n, k, m, j, broken))
    return tuple(sorted(checked, key=lambda kept: -kept.share))
