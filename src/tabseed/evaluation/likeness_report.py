"""The answer on likeness: each column, each pair, all together, beside what chance gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import hypergeom

from tabseed.errors import shortened
from tabseed.estimates.estimate import Estimate, finite
from tabseed.estimates.words import few_rows, listed, number
from tabseed.evaluation.judges import divergences, told
from tabseed.metrics import (
    ChiSquareResult,
    Compared,
    CoverageResult,
    DivergenceResult,
    Family,
    MarginalResult,
    Overlap,
    PairResult,
    Result,
    TwoSampleResult,
)
from tabseed.metrics.chance import LEVEL
from tabseed.metrics.rules import Kept
from tabseed.pages import Finding, Heading, Row
from tabseed.table.display import MAX_NAME, counted
from tabseed.table.schema import NUMERIC, Schema

LARGE = 0.3  # a difference of shares or of associations that nobody would want to miss
SHIFT = 0.75  # of standard deviations: a normal law shifted so far is at a distance of about LARGE
COLUMN, PAIR, WHOLE, RULE = "column", "pair", "all rows", "rule"
KOLMOGOROV, VARIATION = "Kolmogorov-Smirnov distance", "total variation"
WASSERSTEIN, MISSING_SHARE = "Wasserstein distance", "missing cells"
DIFFERS, NOT_SHOWN, UNTOLD = "differs", "no difference shown", "cannot be told"
LOOKS = {  # what is looked at, and the words of the verdict for it
    "distances": "columns",
    "shifts": "columns of numbers",
    "missing": "columns' missing cells",
    "pairs": "pairs of columns",
    "neighbours": "measures of neighbours",
    "rules": "rules",
    "test": "whole rows",
}
HEADINGS = (
    Heading.text("what", "what"),
    Heading.text("measure", "measure"),
    Heading.number("in real rows", "in_real", ".3g"),
    Heading.number("in synthetic rows", "in_synthetic", ".3g"),
    Heading.number("difference", "difference", ".3g"),
    Heading.span("95 % interval", "low", "high", ".3g"),
    Heading.number("real rows get", "real", ".3g"),
    Heading.number("chance gives", "by_chance", ".3g"),
    Heading.number("shown from", "detectable", ".3g"),
    Heading.number("p, all looks paid", "p_adjusted"),
    Heading.text("finding", "finding"),
    Heading.text("unit", "unit"),
)


@dataclass(frozen=True, repr=False)
class LikenessReport(Finding):
    """Whether synthetic rows are like real ones: the answer of :class:`Likeness`.

    ``margins``, ``pairs``, ``neighbours`` and ``test`` compare the synthetic with the n real rows
    that judge; the ``..._reference`` compare the training rows with the same held-out rows, and
    are None without a holdout. ``rules`` are those that the training rows keep, counted in the
    rows that judge and in the synthetic ones. ``divergence`` and ``chi_square``, with references,
    are None without judges. ``looks`` is the number of families of numbers that were looked at:
    p-values and detectable differences pay for all of them.
    """

    title = "Are the synthetic rows like real ones?"

    n_train: int
    n_synthetic: int
    n_holdout: int | None
    schema: Schema = field(repr=False)
    margins: MarginalResult
    margins_reference: MarginalResult | None
    pairs: PairResult
    pairs_reference: PairResult | None
    neighbours: CoverageResult
    neighbours_reference: CoverageResult | None
    test: TwoSampleResult
    rules: tuple[Kept, ...]
    divergence: DivergenceResult | None
    divergence_reference: DivergenceResult | None
    chi_square: ChiSquareResult | None
    chi_square_reference: ChiSquareResult | None
    overlap: Overlap | None
    settings: dict[str, str] = field(compare=False)
    unknown: tuple[str, ...] = ()

    # --- what differs -------------------------------------------------------------------------

    @property
    def families(self) -> dict[str, Family]:
        """The numbers that were looked at, by sort, each with its null."""
        return {
            "distances": self.margins.distances,
            "shifts": self.margins.shifts,
            "missing": self.margins.missing,
            "pairs": self.pairs.changes,
            "neighbours": self.neighbours.measures,
        }

    @property
    def looks(self) -> int:
        """How many sorts of numbers can differ by chance: the test, rules and those that vary."""
        varying = sum(family.varies for family in self.families.values())
        return varying + 1 + bool(self.rules)

    @property
    def p_values(self) -> dict[str, float]:
        """The p-value of each sort of numbers, times the number of looks; in all at 5 %.

        The smallest below 0.05 in at most 5 % of cases where synthetic rows are new real ones.
        """
        p = {
            name: min(1.0, self.looks * family.null.p_value)
            for name, family in self.families.items()
            if family.null is not None and family.varies
        }
        if self.rules:
            p["rules"] = min(map(self._adjusted, self.rules))
        return p | {"test": min(1.0, self.looks * self.test.p_value)}

    @property
    def differ(self) -> bool | None:
        """Whether synthetic rows differ from real ones; None if so few rows cannot tell."""
        if min(self.p_values.values()) <= LEVEL:
            return True
        return None if all(reach > LARGE for reach in self.reach.values()) else False

    @property
    def reach(self) -> dict[str, float]:
        """The median smallest difference that these rows show, of columns and of pairs.

        In the distance of a column and in the change of an association; found in four of five
        cases. Infinite where no difference would be.
        """
        families = {"columns": self.margins.distances, "pairs": self.pairs.changes}
        reach = {}
        for name, family in families.items():
            found = [c.detectable for c in family.compared(self.looks).values()]
            known = [value for value in found if value is not None and np.isfinite(value)]
            if family.varies or name == "columns":
                reach[name] = float(np.median(known)) if known else float("inf")
        return reach

    @property
    def worst_columns(self) -> list[Row]:
        """The rows on single columns, those farthest beyond chance first."""
        return self._of(COLUMN)

    @property
    def worst_pairs(self) -> list[Row]:
        """The rows on pairs of columns, those farthest beyond chance first."""
        return self._of(PAIR)

    def _of(self, sort: str) -> list[Row]:
        return [row for row in self.rows() if row["sort"] == sort]

    # --- words --------------------------------------------------------------------------------

    @property
    def judging(self) -> str:
        """The rows that judge, in words."""
        if self.n_holdout is None:
            return counted(self.n_train, "training row")
        return counted(self.n_holdout, "held-out row")

    @property
    def verdict(self) -> str:
        """What differs most, or what these rows would have shown."""
        differ = self.differ
        if differ:
            found = listed(list(self._found()))
            return f"Synthetic rows differ from {self.judging} in {found}.{told(self.divergence)}"
        reach = " and ".join(
            f"a change of {number(value, '.2f')} in {what}"
            for what, value in (
                ("the distribution of a column", self.reach["columns"]),
                ("an association of two columns", self.reach.get("pairs", float("inf"))),
            )
            if np.isfinite(value)
        )
        would = f"; they would show {reach}, four times in five" if reach else ""
        if differ is None:
            return f"Likeness cannot be told from {self.judging}: no difference is shown{would}."
        return f"{self.judging} show no difference from synthetic rows{would}."

    def _found(self) -> Iterator[str]:
        """Yield what differs, sort by sort, with the number that stands out most."""
        rows = self.rows()
        for name, p in self.p_values.items():
            if p > LEVEL:
                continue
            if name == "test":
                yield f"whole rows (most in {self.test.columns_by or self.test.by})"
                continue
            of_sort = [row for row in rows if row["family"] == name]
            found = [row for row in of_sort if row["finding"] == DIFFERS]
            yield f"{len(found)} of {len(of_sort)} {LOOKS[name]} (most {_shown(found[0])})"

    @property
    def notes(self) -> tuple[str, ...]:
        """What judged, what cannot be said, and how false alarms are kept rare."""
        no_holdout = (
            "Without held-out rows synthetic rows are compared with those that they were learned "
            "from: a generator that follows these rows too closely looks better than it is, and "
            "what real rows get is not known."
        )
        sorts = listed([LOOKS[name] for name in self.p_values])
        broken = [rule for rule in self.rules if self._adjusted(rule) <= LEVEL]
        counts = {"training": self.n_train}
        if self.n_holdout is not None:
            counts["held-out"] = self.n_holdout
        return (
            *([no_holdout] if self.n_holdout is None else []),
            f"Looked at: {sorts}. If synthetic rows were new real rows, this answer would find a "
            "difference among all of these in at most 5 of 100 cases.",
            *(f"{rule}." for rule in broken),
            *divergences(self.divergence, self.divergence_reference),
            *self._used(),
            *few_rows(counts),
            *self.unknown,
        )

    def _used(self) -> Iterator[str]:
        judging = self.n_train if self.n_holdout is None else self.n_holdout
        compared: dict[str, PairResult | CoverageResult | TwoSampleResult] = {
            "pairs of columns": self.pairs,
            "neighbours": self.neighbours,
            "whole rows": self.test,
        }
        for name, result in compared.items():
            if result.n_real < judging or result.n_synthetic < self.n_synthetic:
                yield (
                    f"For {name} {result.n_real:,} of {judging:,} real and "
                    f"{result.n_synthetic:,} of {self.n_synthetic:,} synthetic rows are compared, "
                    "drawn at random."
                )

    # --- numbers ------------------------------------------------------------------------------

    @property
    def headings(self) -> tuple[Heading, ...]:
        """What is compared by which measure, its values, what chance gives, and the finding."""
        return HEADINGS

    def rows(self) -> list[Row]:
        """Return all numbers: of all rows, of columns, of pairs, of rules; each worst first.

        ``sort`` is "all rows", "column", "pair" or "rule"; ``column`` and ``other`` the names.
        ``difference`` has the interval ``low`` to ``high``; ``real`` is what the training rows get,
        None without a holdout. ``finding``: "differs", "no difference shown", or "cannot be told"
        where the rows would show none below a large one.
        """
        rows = [*self._whole(), *self._columns(), *self._pairs(), *self._rules()]
        return [finite(row) for row in rows]

    def _whole(self) -> Iterator[Row]:
        reference = self.neighbours_reference
        real = {} if reference is None else reference.measures.compared()
        for name, one in self._worst_first(self.neighbours.measures):
            yield _row(
                WHOLE, "neighbours", f"{name} by neighbours", one,
                real=real[name].value if real else None,
                unit="share" if name != "density" else "of that of real rows",
            )  # fmt: skip
        strength = self.test.strength
        p = min(1.0, self.looks * self.test.p_value)
        told = Compared(strength.value, strength.low, strength.high, 0.0, self.test.p_value, p)
        yield _row(WHOLE, "test", "two-sample test, strength", told, unit=strength.unit)
        for measure, found, beside, least in self._divergences():
            yield _row(
                WHOLE, "divergence", measure, Compared(found.value, found.low, found.high),
                real=beside, unit=found.unit, finding="", detectable=least,
            )  # fmt: skip

    def _divergences(self) -> Iterator[tuple[str, Estimate, float | None, float | None]]:
        js, js_real = self.divergence, self.divergence_reference
        if js is not None:
            yield (
                "Jensen-Shannon divergence",
                js.js,
                None if js_real is None else js_real.js.value,
                js.smallest_js,
            )
        chi, chi_real = self.chi_square, self.chi_square_reference
        if chi is not None:
            real = None if chi_real is None else chi_real.pooled.value
            yield "chi-square divergence, pooled", chi.pooled, real, None

    def _columns(self) -> Iterator[Row]:
        """Yield the distances of all columns, then shifts, then missing cells."""
        margins, reference = self.margins, self.margins_reference
        for name, one in self._worst_first(margins.distances):
            numeric = self.schema[name].kind in NUMERIC
            yield _row(
                COLUMN, "distances", KOLMOGOROV if numeric else VARIATION, one, names=(name,),
                real=None if reference is None else reference.columns[name], unit="share",
            )  # fmt: skip
        scale = margins.spreads
        shifts = {} if reference is None else reference.shifts.compared()
        for name, one in self._worst_first(margins.shifts):
            beside = shifts.get(name)
            yield _row(
                COLUMN, "shifts", WASSERSTEIN, one, names=(name,), large=SHIFT * scale[name],
                real=None if beside is None else beside.value,
                unit="days" if self.schema[name].kind == "datetime" else "as the column",
            )  # fmt: skip
        missing = {} if reference is None else reference.missing.compared()
        for name, one in self._worst_first(margins.missing):
            beside = missing.get(name)
            shares = margins.missing_shares[name]
            yield _row(
                COLUMN, "missing", MISSING_SHARE, one, names=(name,), values=shares,
                real=None if reference is None else beside.value if beside else 0.0, unit="share",
            )  # fmt: skip

    def _pairs(self) -> Iterator[Row]:
        pairs, reference = self.pairs, self.pairs_reference
        at = {pair: index for index, pair in enumerate(pairs.pairs)}
        # pairs of the reference come in the same order, with the training rows as "synthetic"
        real = None if reference is None else reference.changes.values.tolist()
        for pair, one in self._worst_first(pairs.changes):
            index = at[pair]
            yield _row(
                PAIR, "pairs", pairs.measures[index], one, names=pair,
                values=(float(pairs.real[index]), float(pairs.synthetic[index])),
                real=None if real is None else real[index], unit="association",
            )  # fmt: skip

    def _rules(self) -> Iterator[Row]:
        for rule in self.rules:
            shares = (rule.n_real_broken / max(rule.n_real, 1), rule.share)
            p = _p_of_rule(rule)
            change = shares[1] - shares[0]
            one = Compared(change, change, change, p=p, p_adjusted=self._adjusted(rule))
            row = _row(RULE, "rules", "rows that break it", one, values=shares, unit="share")
            yield {**row, "what": rule.rule, "low": None, "high": None}

    def _adjusted(self, rule: Kept) -> float:
        return min(1.0, self.looks * len(self.rules) * _p_of_rule(rule))

    def _worst_first(self, family: Family) -> list[tuple[Any, Compared]]:
        found = list(family.compared(self.looks).items())
        z = np.abs(family.values) if family.null is None else family.null.z
        return [found[j] for j in np.argsort(-z, kind="stable")]

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready (no NaN, no infinity)."""
        headlines: dict[str, tuple[Result, Result | None]] = {
            "margins": (self.margins, self.margins_reference),
            "pairs": (self.pairs, self.pairs_reference),
            "neighbours": (self.neighbours, self.neighbours_reference),
        }
        judges: dict[str, tuple[Result | None, Result | None]] = {
            "divergence": (self.divergence, self.divergence_reference),
            "chi_square": (self.chi_square, self.chi_square_reference),
        }
        return {
            "verdict": self.verdict,
            "differ": self.differ,
            "n_train": self.n_train,
            "n_synthetic": self.n_synthetic,
            "n_holdout": self.n_holdout,
            "looks": self.looks,
            "p_values": self.p_values,
            "reach": finite(self.reach),
            "rows": self.rows(),
            "test": self.test.to_dict(),
            **{name: _dict(found) for name, (found, _) in judges.items()},
            "references": {name: _dict(found) for name, (_, found) in judges.items()},
            "means": {name: _headline(found) for name, (found, _) in headlines.items()},
            "means_of_real": {name: _headline(found) for name, (_, found) in headlines.items()},
            "rules": [rule.to_dict() for rule in self.rules],
            "overlap": None if self.overlap is None else self.overlap.to_dict(),
            "notes": list(self.notes),
            "settings": dict(self.settings),
        }

    def _settings(self) -> dict[str, str]:
        return dict(self.settings)


def _dict(found: Result | None) -> dict[str, Any] | None:
    return None if found is None else found.to_dict()


def _headline(found: Result | None) -> dict[str, Any] | None:
    return None if found is None else found.headline.to_dict()


def _row(  # noqa: PLR0913 - a row has so many cells
    sort: str,
    family: str,
    measure: str,
    one: Compared,
    *,
    unit: str,
    names: tuple[str, ...] = (),
    values: tuple[float | None, float | None] = (None, None),
    real: float | None = None,
    large: float = LARGE,
    finding: str | None = None,
    detectable: float | None = None,
) -> Row:
    """Return a row of the answer; ``large`` is a difference that the rows should show."""
    column, other = (*names, None, None)[:2]
    return {
        "sort": sort,
        "family": family,
        "what": " and ".join(names) if names else WHOLE,
        "column": column,
        "other": other,
        "measure": measure,
        "in_real": values[0],
        "in_synthetic": values[1],
        "difference": one.value,
        "low": one.low,
        "high": one.high,
        "real": real,
        "by_chance": one.by_chance,
        "detectable": one.detectable if detectable is None else detectable,
        "p": one.p,
        "p_adjusted": one.p_adjusted,
        "finding": _finding(one, large) if finding is None else finding,
        "unit": unit,
    }


def _finding(one: Compared, large: float) -> str:
    """Return what can be said: also of a column that never varies no difference is shown."""
    if one.differs:
        return DIFFERS
    constant = one.p == 1 and one.value == one.by_chance
    untold = one.detectable is not None and one.detectable > large
    return UNTOLD if untold and not constant else NOT_SHOWN


def _p_of_rule(rule: Kept) -> float:
    """Return the probability that so many of all rows that break a rule are synthetic."""
    broken = rule.n_real_broken + rule.n_synthetic_broken
    found = rule.n_synthetic_broken - 1
    return float(hypergeom.sf(found, rule.n_real + rule.n_synthetic, broken, rule.n_synthetic))


def _shown(row: Row) -> str:
    """Write a row that differs, with its numbers, for the verdict."""
    names = [repr(shortened(name, MAX_NAME)) for name in (row["column"], row["other"]) if name]
    what = listed(names) if names else row["measure"]
    if row["in_real"] is not None:
        changed = f"{number(row['in_synthetic'], '.2f')} instead of {number(row['in_real'], '.2f')}"
        what = what if names else shortened(row["what"], MAX_NAME)
        return f"{what}: {row['measure']} {changed}"
    chance = f"where chance gives {number(row['by_chance'], '.2g')}"
    measure = f": {row['measure']}" * bool(names)
    return f"{what}{measure} {number(row['difference'], '.2g')}, {chance}"
