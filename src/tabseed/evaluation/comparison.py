"""Judge several synthetic tables by the same held-out rows, and say which is better in what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from tabseed._progress import Progress, part, silent
from tabseed._random import RandomState, at_most, child, seed_sequence
from tabseed.errors import TabseedError
from tabseed.estimates.contrast import LEVEL
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.words import few_rows, listed, number, span
from tabseed.evaluation import contrasts
from tabseed.evaluation.differences import (
    MEASURES,
    Judged,
    PairedDifference,
    copied,
    likeness,
    paired_differences,
)
from tabseed.evaluation.likeness import MIN_ROWS, check_sizes, conform_all
from tabseed.metrics import (
    MarginalDistance,
    Overlap,
    check_leakage,
)
from tabseed.metrics.copies import count_copies
from tabseed.metrics.leakage import check_unseen, row_keys, unknown_values
from tabseed.metrics.paired import half_divergences, judge_alike, margin_draws
from tabseed.metrics.rules import check_rules
from tabseed.metrics.usefulness import Cost, costs_of_use
from tabseed.pages import Finding, Heading, Row, versions
from tabseed.parameters import (
    FUNCTION,
    MAPPING,
    N_JOBS,
    SEED,
    InstanceOf,
    checked,
    or_none,
    shown,
)
from tabseed.table import Frame, Table
from tabseed.table.display import counted
from tabseed.table.schema import Schema

HALVES = 6  # of each table, to see how a divergence varies with the rows drawn
DRAWS = 8  # bootstrap samples of each table, to see how a cost varies with the rows drawn
JUDGED, MARGINS, COST, ROWS, RESAMPLED, HALVED = range(6)  # streams below that of a comparison
REAL = "real training rows"  # the row of what they get
TOTAL = 100
HALVES_AT, COLUMNS_AT, MODELS_AT = 45, 80, 85  # per cent of the time
HEADINGS = (
    Heading.text("measure", "measure"),
    Heading.text("table", "table"),
    Heading.text("minus", "minus"),
    Heading.number("value", "value"),
    Heading.span("95 % interval", "low", "high"),
    Heading.text("unit", "unit"),
    Heading.number("p", "p"),
    Heading.text("better", "better"),
    Heading.number("would show", "would_show"),
)


@dataclass(frozen=True, repr=False)
class Comparison(Finding):
    """Several synthetic tables judged by the same held-out rows: the answer of :func:`compare`.

    ``tables`` by name, in the order given; ``differences`` for each measure and pair of them;
    ``reference``: what the real training rows get by the same judges. ``n_compared`` rows of each
    table were judged; copies are counted among all. There is no single score: a table may be the
    best to learn from and copy most.
    """

    title = "Comparison of synthetic tables"
    _template = "evaluation/comparison.html"

    tables: dict[str, Judged]
    differences: tuple[PairedDifference, ...]
    reference: dict[str, Estimate]
    n_train: int
    n_holdout: int
    n_compared: int
    columns: tuple[str, ...]
    left_out: dict[str, str]
    overlap: Overlap
    cost_missing: str
    remarks: tuple[str, ...]
    settings: dict[str, Any] = field(compare=False)

    @property
    def verdict(self) -> str:
        """Copies; which table is nearest to the real rows; which is best to learn from."""
        copying = {n: t.copies.verdict for n, t in self.tables.items() if t.copies.verdict}
        parts = [f"{name!r}: {words}" for name, words in copying.items()]
        parts.append(self.sentence("js"))
        front = self.unbeaten("js")
        leading = [name for name in front if name in copying]
        if leading and len(front) < len(self.tables):
            parts.append(f"Likeness by copying is no merit ({_quoted(leading)}).")
        if "cost" in self.reference:
            parts.append(self.sentence("cost"))
        return " ".join(parts)

    def between(self, measure: str) -> list[PairedDifference]:
        """Return the differences in a measure (a key of ``MEASURES``) between all pairs."""
        return [d for d in self.differences if d.measure == measure]

    def unbeaten(self, measure: str) -> list[str]:
        """Return the tables than which none is better beyond chance; there is at least one."""
        beaten = {
            d.first if d.better == d.second else d.second for d in self.between(measure) if d.better
        }
        return [name for name in self.tables if name not in beaten]

    def sentence(self, measure: str) -> str:
        """Say which table is best in a measure beyond chance, and what cannot be told."""
        words, pairs, front = MEASURES[measure], self.between(measure), self.unbeaten(measure)
        if all(d.natural for d in pairs):
            return "No table has more of them than nature explains."
        rest = [name for name in self.tables if name not in front]
        judging = "these rows" if "copies" in measure else f"these {self.n_holdout} held-out rows"
        if not rest:
            return (
                f"Which table is {words.best}, {judging} cannot tell; they would show a difference "
                f"of {self._would_show(pairs)}."
            )
        if len(front) == 1 and all(d.told for d in pairs if front[0] in (d.first, d.second)):
            return self._won(measure, front[0], rest)
        beaten = f"Some table is {words.than} {_quoted(rest)}, beyond chance ({words.title})."
        if len(front) == 1:
            return f"{beaten} None is so than {front[0]!r}, but that is not told from every other."
        inner = [d for d in pairs if d.first in front and d.second in front]
        return (
            f"{beaten} Which of {_quoted(front)} is {words.best}, {judging} cannot tell; they "
            f"would show a difference of {self._would_show(inner)}."
        )

    def _would_show(self, pairs: list[PairedDifference]) -> str:
        return _amount(max(d.would_show for d in pairs), self.reference[pairs[0].measure].unit)

    def _won(self, measure: str, best: str, rest: list[str]) -> str:
        """Say that one table is better than all others, and by how much than the next."""
        words, unit = MEASURES[measure], self.reference[measure].unit
        rival = min(rest, key=lambda name: self.tables[name].estimates[measure].value)
        d = next(d for d in self.between(measure) if {d.first, d.second} == {best, rival})
        low, high = (d.low, d.high) if d.value > 0 else (-d.high, -d.low)
        return (
            f"{best!r} is {words.best}, beyond chance: {_amount(abs(d.value), unit)} less than "
            f"{rival!r} (paired 95 % interval {span(low, high)}; {words.title})."
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was judged, what the intervals cover, rules that tables break, small tables."""
        more = {name: t.n_rows for name, t in self.tables.items() if t.n_rows > self.n_compared}
        m, used = self.n_compared, next(iter(self.tables.values())).divergence
        sizes = (("synthetic", m, used.n_synthetic), ("held-out", self.n_holdout, used.n_real))
        cut = ", ".join(f"{name!r} has {n}" for name, n in more.items())
        costs = [t.cost for t in self.tables.values() if t.cost is not None]
        return (
            f"{m} rows of each table are judged"
            + f", drawn at random ({cut}), since judges find more in more rows" * bool(more)
            + "; copies are counted among all rows.",
            *(
                f"The divergences are found by {n} of {of} {kind} rows, drawn at random."
                for kind, of, n in sizes
                if n < of
            ),
            "Intervals of differences are paired by held-out row. They cover the choice of "
            "held-out and of synthetic rows, not another training of the generators.",
            f"A table is called better where p < {LEVEL:g} after Holm's correction for all pairs"
            + ", in likeness (plain JS) and cost together" * ("cost" in self.reference)
            + "; in each other measure for its own pairs, so of many such calls one may be chance.",
            *(
                f"{name!r}: {rule}."
                for name, t in self.tables.items()
                for rule in t.rules
                if rule.broken
            ),
            *(costs[0].read_as if costs else ()),
            *([self.cost_missing] if self.cost_missing else []),
            f"{self.overlap}.",
            *few_rows({"training": self.n_train, "held-out": self.n_holdout}),
            *self.remarks,
        )

    @property
    def headings(self) -> tuple[Heading, ...]:
        """Each measure of each table, then of each pair: the first less the second."""
        return HEADINGS

    def rows(self) -> list[Row]:
        """Return for each measure each table's value, what real rows get, and all differences.

        In a difference ``minus`` names the table that is subtracted; ``p`` is adjusted (Holm).
        """
        rows: list[Row] = []
        for key, reference in self.reference.items():
            values = [(name, table.estimates[key]) for name, table in self.tables.items()]
            rows += [_row(key, name, None, e, e.unit) for name, e in [*values, (REAL, reference)]]
            rows += [
                _row(key, d.first, d.second, d, reference.unit)
                | {"p": d.p_holm, "better": d.words, "would_show": d.would_show}
                for d in self.between(key)
            ]
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready (no NaN, no infinity)."""
        return {
            "verdict": self.verdict,
            "rows": {
                "train": self.n_train,
                "holdout": self.n_holdout,
                "compared": self.n_compared,
            },
            "columns": list(self.columns),
            "left_out": dict(self.left_out),
            "overlap": self.overlap.to_dict(),
            "tables": {name: table.to_dict() for name, table in self.tables.items()},
            "reference": {key: e.to_dict() for key, e in self.reference.items()},
            "differences": [asdict(d) | {"better": d.better} for d in self.differences],
            "notes": list(self.notes),
            "settings": dict(self.settings),
        }

    def _page(self) -> dict[str, Any]:
        rows = self.rows()
        return {
            "measures": [
                (measure, self.reference[key].unit, self.sentence(key), *contrasts.compared(of))
                for key, measure in MEASURES.items()
                if (of := [row for row in rows if row["measure"] == measure.title])
            ],
            "cells": self.cells(rows),
        }

    def _settings(self) -> dict[str, str]:
        plan = next(iter(self.tables.values())).divergence.plan
        options = {"seed": self.settings["random_state"], "target": self.settings["target"]}
        return {
            **{name: str(value) for name, value in options.items() if value is not None},
            "cross-fitting": f"{plan.folds} folds, {plan.repeats} repeats",
        }


def _amount(value: float, unit: str) -> str:
    return number(value) if unit == "share" else f"{number(value)} {unit}"


def _quoted(names: list[str]) -> str:
    return listed([repr(name) for name in names])


def _row(
    key: str, table: str, minus: str | None, value: Estimate | PairedDifference, unit: str
) -> Row:
    return {
        "measure": MEASURES[key].title,
        "table": table,
        "minus": minus,
        "value": value.value,
        "low": value.low,
        "high": value.high,
        "unit": unit,
        "p": None,
        "better": None,
        "would_show": None,
    }


@checked(
    synthetics=MAPPING,
    schema=or_none(InstanceOf(Schema)),
    random_state=SEED,
    n_jobs=N_JOBS,
    progress=or_none(FUNCTION),
)
def compare(
    train: Frame,
    synthetics: Mapping[str, Frame],
    holdout: Frame,
    *,
    target: str | None = None,
    schema: Schema | None = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare synthetic tables with one another, each judged by the same held-out real rows.

    ``synthetics`` are two or more tables by name, learned from ``train``; ``holdout`` trained
    nothing. All are frames or Tables. Judges find more in more rows, so each table is judged by
    equally many rows, as many as the smallest has, drawn at random; all get the same random
    numbers. Differences have paired intervals (:mod:`tabseed.metrics.paired`). In the verdict one
    or more of two equal tables is called better in at most 5 % of cases (Holm, over all pairs in
    likeness and cost); every other measure has a family of its own.

    ``target``, ``schema``, ``random_state``, ``n_jobs`` and ``progress`` are those of
    :func:`~tabseed.evaluate`, and so are the errors. Also raises TabseedError for fewer than two
    tables or a name that is not text. Cost: a
    :class:`~tabseed.metrics.DiscriminatorDivergence` without permutations for each table and for
    the real training rows, the permutations of one, six divergences of half of each table with
    one repeat in three folds, and with a target 27 fits for each table.
    """
    _check_names(synthetics)
    full = Table.from_frame(train).schema if schema is None else schema
    if target is not None:
        target = full.to_predict(target).name  # an unknown name raises, with the nearest one
    named = {name: f"synthetic {name!r}" for name in synthetics}
    others = {"holdout": holdout} | {named[name]: table for name, table in synthetics.items()}
    tables = conform_all(train, others, full)
    real, held_out = tables["train"], tables["holdout"]
    fakes = {name: tables[title] for name, title in named.items()}
    least = dict.fromkeys(tables, MIN_ROWS) | dict.fromkeys(named.values(), 2 * MIN_ROWS)
    check_sizes(tables, least, "a comparison")  # halves of the synthetic tables are judged too
    (progress or silent)(0, TOTAL, "comparing rows")
    overlap = check_leakage(real, held_out)
    for fake in fakes.values():
        check_unseen(real, fake, held_out)
    seeds = seed_sequence(random_state)
    m = min(map(len, fakes.values()))
    *fewer, alike = (
        table.take(at_most(len(table), m, child(seeds, ROWS))) for table in (*fakes.values(), real)
    )
    even = dict(zip(fakes, fewer, strict=True))
    *results, reference = judge_alike(
        held_out,
        [*even.values(), alike],
        child(seeds, JUDGED),
        train=real,
        n_jobs=n_jobs,
        progress=part(progress, 0, HALVES_AT, TOTAL, "judges"),
    )
    halves = [
        half_divergences(
            held_out,
            table,
            child(seeds, HALVED),
            train=real,
            halves=HALVES,
            n_jobs=n_jobs,
            progress=part(progress, *ends, TOTAL, "halves"),
        )
        for table, ends in zip(even.values(), _steps(HALVES_AT, COLUMNS_AT, len(even)), strict=True)
    ]
    (progress or silent)(COLUMNS_AT, TOTAL, "columns")
    margins = [
        MarginalDistance().evaluate(held_out, t, random_state=child(seeds, MARGINS)).mean
        for t in (*even.values(), alike)
    ]
    models = part(progress, MODELS_AT, TOTAL, TOTAL, "models")
    costs, missing = _costs(real, list(even.values()), held_out, target, child(seeds, COST), models)
    resampled = margin_draws(held_out, list(even.values()), child(seeds, RESAMPLED))
    judged = {}
    for name, result, margin, cost, draws, half in zip(
        even, results, margins[:-1], costs, resampled, halves, strict=True
    ):
        copies = count_copies(real, fakes[name], held_out)
        shares, natural = copied(copies, overlap)
        judged[name] = Judged(
            n_rows=len(fakes[name]),
            estimates=likeness(result, margin) | ({"cost": cost.cost} if cost else {}) | shares,
            divergence=result,
            copies=copies,
            rules=check_rules(result.rules, (real, held_out), fakes[name]),
            cost=cost,
            margin_draws=draws,
            halves=tuple(half),
        )
    nothing = {"cost": Estimate(0.0, 0.0, 0.0, costs[0].cost.unit)} if costs[0] else {}
    (progress or silent)(TOTAL, TOTAL, "done")
    return Comparison(
        tables=judged,
        differences=paired_differences(judged),
        reference=likeness(reference, margins[-1]) | nothing | natural,
        n_train=len(real),
        n_holdout=len(held_out),
        n_compared=m,
        columns=tuple(real.schema.names),
        left_out={c.name: c.reason for c in full.left_out},
        overlap=overlap,
        cost_missing=missing,
        remarks=(*_same(fakes), *unknown_values(fakes | {"holdout": held_out})),
        settings=_settings(random_state, target),
    )


def _check_names(synthetics: Mapping[str, Frame]) -> None:
    if len(synthetics) < 2:
        raise TabseedError(
            f"compare: synthetics holds {counted(len(synthetics), 'table')}; a comparison needs at "
            "least two, and evaluate judges one"
        )
    for name in synthetics:
        if not isinstance(name, str) or not name.strip():
            raise TabseedError(f"compare: the name {shown(name)} of a synthetic table is not text")


def _steps(start: int, end: int, n: int) -> list[tuple[int, int]]:
    """Return the ends of n equal parts of some per cent of the work."""
    ends = [start + (end - start) * at // n for at in range(n + 1)]
    return list(pairwise(ends))


def _costs(
    real: Table,
    fakes: list[Table],
    held_out: Table,
    target: str | None,
    stream: np.random.SeedSequence,
    progress: Progress,
) -> tuple[list[Cost] | list[None], str]:
    """Return each table's cost for a target, or a note on why there is none."""
    if target is None:
        return [None] * len(fakes), ""
    try:
        return costs_of_use(
            real, fakes, held_out, target, stream, draws=DRAWS, progress=progress
        ), ""
    except TabseedError as error:
        what = f"The cost of learning {target!r} from synthetic rows is unknown: {error}."
        return [None] * len(fakes), what


def _same(tables: Mapping[str, Table]) -> list[str]:
    """Say which tables hold the same rows in the same order."""
    keys = dict(zip(tables, row_keys(list(tables.values())), strict=True))
    return [
        f"{a!r} and {b!r} hold the same rows."
        for a, b in combinations(keys, 2)
        if np.array_equal(keys[a], keys[b])
    ]


def _settings(random_state: RandomState, target: str | None) -> dict[str, Any]:
    releases = versions()
    return {
        "random_state": random_state if isinstance(random_state, int) else None,
        "target": target,
        "python": releases.pop("python"),
        "versions": releases,
    }
