"""Judge a synthetic table: every number with its interval and its real-against-real reference."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tabseed._progress import Progress, part, silent
from tabseed._random import RandomState, child, seed_sequence
from tabseed.errors import SchemaError, TabseedError, TooFewRowsError
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.words import few_rows, number
from tabseed.evaluation import drawing
from tabseed.metrics import (
    DiscriminatorDivergence,
    DivergenceResult,
    MarginalDistance,
    MarginalResult,
    Overlap,
    TwoSampleResult,
    TwoSampleTest,
    check_leakage,
)
from tabseed.metrics.copies import Copies, count_copies
from tabseed.metrics.divergence import VIEWS, with_limit_of
from tabseed.metrics.leakage import check_unseen, conform, unknown_values
from tabseed.metrics.rules import Kept, check_rules
from tabseed.metrics.usefulness import Cost, cost_of_use
from tabseed.pages import Finding, Heading, Row, versions
from tabseed.pages.intervals import WIDTH
from tabseed.parameters import FUNCTION, N_JOBS, SEED, InstanceOf, checked, or_none
from tabseed.table import Frame, Table
from tabseed.table.display import counted
from tabseed.table.schema import Schema

NO_LIMIT = 0.99  # a divergence that only tables without any likeness have
MIN_ROWS = DiscriminatorDivergence.min_rows
STEPS = {  # and the share of the time at which each begins, in per cent
    "comparing rows": 0,
    "test": 1,
    "synthetic against holdout": 5,
    "train against holdout": 72,
    "columns": 92,
    "models": 93,
}
MEASURES = {  # the numbers to quote, the most telling first
    "Jensen-Shannon divergence, plain": (
        "What judges that learn from these rows find: all columns, down to the last digit."
    ),
    "Jensen-Shannon divergence, coarse": (
        "Likewise; the judges see only the twentieth in which a number lies."
    ),
    "Kullback-Leibler divergence, plain, at least": (
        "Of real rows from synthetic rows: a lower bound, since no rows can bound it from above."
    ),
    "Mean distance of single columns": (
        "Each column on its own: Kolmogorov-Smirnov for numbers, total variation for others."
    ),
    "Copies of training rows": (
        "Rows equal to a training row in every cell; real ones: held-out rows that are."
    ),
    "Near copies of training rows": (
        "Equal in every category, nearly so in every number; real ones: held-out rows that are."
    ),
}
HEADINGS = (
    Heading.text("measure", "measure"),
    Heading.text("rows", "judging"),
    Heading.number("synthetic", "synthetic"),
    Heading.span("95 % interval", "synthetic_low", "synthetic_high"),
    Heading.number("real rows get", "real"),
    Heading.span("95 % interval", "real_low", "real_high"),
    Heading.text("unit", "unit"),
)
TOLD = (  # from which divergence on rows are told apart how, the largest first
    (0.8, "nearly always"),
    (0.5, "in most cases"),
    (0.2, "often"),
    (0.05, "better than by guessing"),
    (-math.inf, "a little better than by guessing"),
)
FINDERS = {"trees": "boosted trees", "mlp": "a neural network"}
TOTAL = 100


@dataclass(frozen=True, repr=False)
class Evaluation(Finding):
    """How far synthetic rows are from real ones: the answer of :func:`evaluate`.

    ``divergence`` and ``marginal`` compare synthetic with held-out rows; the two ``_reference``
    compare the generator's training rows with the same held-out rows, by the same settings: what
    a perfect generator could reach. ``test`` says whether these rows can tell synthetic from
    held-out rows at all, and by what. ``copies`` counts synthetic rows that equal a training row;
    ``rules`` are those that the training rows keep (sums, orders, ...), and how synthetic rows
    keep them; ``cost`` is what learning the target from synthetic rows costs, None without a
    target, or where ``cost_missing`` says why not. ``left_out`` names each column not compared,
    with the reason; ``empty`` names each column without a value, with its table; ``unknown`` says
    which values the training table lacks.
    """

    title = "Evaluation of a synthetic table"
    _template = "evaluation/page.html"

    n_train: int
    n_synthetic: int
    n_holdout: int
    columns: tuple[str, ...]
    left_out: dict[str, str]
    overlap: Overlap
    copies: Copies
    rules: tuple[Kept, ...]
    divergence: DivergenceResult
    divergence_reference: DivergenceResult
    test: TwoSampleResult
    marginal: MarginalResult
    marginal_reference: MarginalResult
    cost: Cost | None
    cost_missing: str
    empty: tuple[tuple[str, str], ...]
    settings: dict[str, Any] = field(compare=False)
    unknown: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Copies and broken rules; whether judges tell the tables apart; the cost for a target."""
        parts = (
            self.copies.verdict,
            _broken(self.broken_rules),
            _verdict(self.divergence, self.test),
            "" if self.cost is None else self.cost.verdict,
        )
        return " ".join(part for part in parts if part)

    @property
    def broken_rules(self) -> tuple[Kept, ...]:
        """The rules that synthetic rows break beyond chance, the most broken first."""
        return tuple(rule for rule in self.rules if rule.broken)

    @property
    def notes(self) -> tuple[str, ...]:
        """Broken rules, rows that several tables contain, rows not used, columns without values."""
        sizes = (
            ("holdout", self.n_holdout, self.divergence.n_real),
            ("synthetic", self.n_synthetic, self.divergence.n_synthetic),
        )
        return (
            *(f"{rule}." for rule in self.broken_rules),
            _divergences(self.divergence, self.divergence_reference),
            _tested(self.test),
            *(() if self.cost is None else self.cost.read_as),
            *([self.cost_missing] if self.cost_missing else []),
            f"{self.copies}.",
            f"{self.overlap}.",
            *few_rows({"training": self.n_train, "held-out": self.n_holdout}),
            *(
                f"The divergence is found by {used} of {n} {name} rows, drawn at random."
                for name, n, used in sizes
                if used < n
            ),
            *(
                f"Column {column!r} has no value in the {table} table."
                for column, table in self.empty
            ),
            *self.unknown,
        )

    @property
    def headings(self) -> tuple[Heading, ...]:
        """Each measure, the held-out + synthetic rows that it reads, values and intervals, unit."""
        return HEADINGS

    def rows(self) -> list[Row]:
        """Return the numbers to quote, the most telling first, beside what real rows get."""
        synthetic, real = self.divergence, self.divergence_reference
        pairs = (
            (synthetic.js, real.js),
            (synthetic.js_coarse, real.js_coarse),
            (synthetic.kl, real.kl),
            (self.marginal.mean, self.marginal_reference.mean),
            self.copies.shares(self.copies.n_equal, self.overlap.n_equal),
            self.copies.shares(self.copies.n_near, self.copies.n_near_holdout),
        )
        n, m = self.n_holdout, self.n_synthetic
        read = [(synthetic.n_real, synthetic.n_synthetic)] * 3 + [(n, m)] * 3
        return [
            {
                "measure": name,
                "meaning": meaning,
                "judging": f"{rows[0]:,} + {rows[1]:,}",
                **_numbers("synthetic", estimate),
                **_numbers("real", reference),
                "unit": estimate.unit,
            }
            for (name, meaning), (estimate, reference), rows in zip(
                MEASURES.items(), pairs, read, strict=True
            )
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready (no NaN, no infinity)."""
        return {
            "verdict": self.verdict,
            "rows": {
                "train": self.n_train,
                "synthetic": self.n_synthetic,
                "holdout": self.n_holdout,
            },
            "columns": list(self.columns),
            "left_out": dict(self.left_out),
            "overlap": self.overlap.to_dict(),
            "copies": self.copies.to_dict(),
            "rules": [rule.to_dict() for rule in self.rules],
            "cost": None if self.cost is None else self.cost.to_dict(),
            "metrics": {
                "divergence": self.divergence.to_dict(),
                "test": self.test.to_dict(),
                "marginal": self.marginal.to_dict(),
            },
            "references": {
                "divergence": self.divergence_reference.to_dict(),
                "marginal": self.marginal_reference.to_dict(),
            },
            "notes": list(self.notes),
            "settings": dict(self.settings),
        }

    def _page(self) -> dict[str, Any]:
        marginal = (self.marginal.columns, self.marginal_reference.columns)
        end = drawing.bars_end(*marginal)
        return {
            "measures": [(row, drawing.plot(row)) for row in self.rows()],
            "judges": drawing.judges(self.divergence, self.divergence_reference),
            "columns": drawing.columns(*marginal, end),
            "bars_end": end,
            "views": VIEWS,
            "width": WIDTH,
        }

    def _settings(self) -> dict[str, str]:
        options = {"seed": self.settings["random_state"], "target": self.settings["target"]}
        plan = self.divergence.plan
        return {
            **{name: str(value) for name, value in options.items() if value is not None},
            "cross-fitting": f"{plan.folds} folds, {plan.repeats} repeats",
        }


def _numbers(name: str, estimate: Estimate) -> Row:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


@checked(
    schema=or_none(InstanceOf(Schema)),
    random_state=SEED,
    n_jobs=N_JOBS,
    progress=or_none(FUNCTION),
)
def evaluate(
    train: Frame,
    synthetic: Frame,
    holdout: Frame,
    *,
    target: str | None = None,
    schema: Schema | None = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Compare synthetic rows with held-out real rows, and training rows with the same rows.

    ``train`` trained the generator; ``holdout`` trained nothing. All are frames or Tables. The
    schema is detected on ``train`` unless one is passed; the other tables must have its columns.
    ``target`` is a column whose prediction by models is to be compared too: trained on synthetic
    and on real rows (:func:`~tabseed.metrics.usefulness.cost_of_use`). Each finished step calls
    ``progress(done, total, message)``. The same ``random_state`` gives the same numbers for any
    ``n_jobs``. Raises LeakageError, SchemaError, or TooFewRowsError if a table has fewer than 10
    rows. Cost: see :class:`~tabseed.metrics.DiscriminatorDivergence`; a second run without its
    permutations.
    """
    began = time.perf_counter()
    tables, full = _conform_all(train, synthetic, holdout, schema)
    if target is not None:
        target = full[target].name  # an unknown name raises SchemaError, with the nearest one
    real, fake, held_out = tables
    report = progress or silent
    report(0, TOTAL, "comparing rows")
    overlap = check_leakage(real, held_out)
    check_unseen(real, fake, held_out)
    seeds = seed_sequence(random_state)
    test = TwoSampleTest().evaluate(
        held_out, fake, train=real, random_state=child(seeds, 4), progress=_step(progress, "test")
    )
    divergence, reference = (
        DiscriminatorDivergence(n_jobs=n_jobs, permutations=permutations).evaluate(
            held_out,
            table,
            train=real,
            random_state=child(seeds, index),
            progress=_step(progress, name),
        )
        for index, (name, table, permutations) in enumerate(
            (
                ("synthetic against holdout", fake, None),
                ("train against holdout", real, 0),
            )
        )
    )
    reference = with_limit_of(reference, divergence)
    report(STEPS["columns"], TOTAL, "columns")
    marginal, marginal_reference = (
        MarginalDistance().evaluate(held_out, table, random_state=child(seeds, 2, index))
        for index, table in enumerate((fake, real))
    )
    cost, cost_missing = _cost(tables, target, child(seeds, 3), _step(progress, "models"))
    report(TOTAL, TOTAL, "done")
    return Evaluation(
        n_train=len(real),
        n_synthetic=len(fake),
        n_holdout=len(held_out),
        columns=tuple(real.schema.names),
        left_out={c.name: c.reason for c in full.left_out},
        overlap=overlap,
        copies=count_copies(real, fake, held_out),
        rules=check_rules(divergence.rules, (real, held_out), fake),
        divergence=divergence,
        divergence_reference=reference,
        test=test,
        marginal=marginal,
        marginal_reference=marginal_reference,
        cost=cost,
        cost_missing=cost_missing,
        empty=_empty({"synthetic": fake, "holdout": held_out}),
        settings=_settings(random_state, target, time.perf_counter() - began),
        unknown=tuple(unknown_values({"synthetic": fake, "holdout": held_out})),
    )


def _step(progress: Progress | None, name: str) -> Progress:
    starts = [*STEPS.values(), TOTAL]
    index = list(STEPS).index(name)
    return part(progress, starts[index], starts[index + 1], TOTAL, name)


def _conform_all(
    train: Frame, synthetic: Frame, holdout: Frame, schema: Schema | None
) -> tuple[tuple[Table, Table, Table], Schema]:
    """Return all three with the modelled columns of one schema, and the schema in full."""
    if schema is None:
        schema = Table.from_frame(train).schema
    modelled = schema.modelled
    if not len(modelled):
        raise SchemaError(
            "no column to compare: all are ids or free text; set another kind for one"
        )
    real = conform(train, modelled, "train")
    modelled = real.schema  # with the categories that a schema file may omit
    fake, held_out = (
        conform(synthetic, modelled, "synthetic"),
        conform(holdout, modelled, "holdout"),
    )
    for name, table in (("train", real), ("synthetic", fake), ("holdout", held_out)):
        if len(table) < MIN_ROWS:
            raise TooFewRowsError(
                f"the {name} table has {counted(len(table), 'row')}; an evaluation needs at least "
                f"{MIN_ROWS}"
            )
    return (real, fake, held_out), schema


def _cost(
    tables: tuple[Table, Table, Table],
    target: str | None,
    stream: np.random.SeedSequence,
    progress: Progress,
) -> tuple[Cost | None, str]:
    """Return the cost for a target, or a note on why there is none."""
    if target is None:
        return None, ""
    try:
        return cost_of_use(*tables, target, stream, progress=progress), ""
    except TabseedError as error:
        return None, f"The cost of learning {target!r} from synthetic rows is unknown: {error}."


def _verdict(result: DivergenceResult, test: TwoSampleResult) -> str:
    """Say whether these rows tell the tables apart, by which means, and what they would miss."""
    js, limit, n = result.js, result.smallest_js, result.n_real
    scale = "0 alike, 1 always told apart"
    found = f"a test: p = {number(test.p_value)}"
    if js.low > 0:
        how = next(words for least, words in TOLD if js.value >= least)
        return (
            f"Synthetic rows are told from real ones {how}: judges that learn from {n} held-out "
            f"rows find a divergence of at least {number(max(js.low, 0))}, about "
            f"{number(js.value)} ({scale}; {found}); with more rows they could find more."
        )
    if test.told_apart:
        return (
            f"Synthetic rows differ from real ones ({found}), "
            f"{'of the columns ' * bool(test.columns_by)}most in "
            f"{test.columns_by or test.by}; how far, {n} held-out rows are too few to say."
        )
    text = f"These {n} held-out rows cannot tell the synthetic rows from real ones ({found})"
    if limit is None:
        return f"{text}."
    if limit > NO_LIMIT:
        return f"{text}: they are too few to show any difference."
    return (
        f"{text}; judges would miss a simple difference of less than {limit:.2g} ({scale}), and "
        "larger ones that take more rows to learn."
    )


def _divergences(result: DivergenceResult, reference: DivergenceResult) -> str:
    """Return the numbers behind the verdict, with their names and the rows that gave them."""
    return (
        f"Jensen-Shannon divergence, in bits, found by {FINDERS[result.by()]} with "
        f"{result.n_real} held-out and {result.n_synthetic} synthetic rows: {result.js.text()}; if "
        f"exact digits do not count, {result.js_coarse.text()}; the training rows get "
        f"{reference.js.text()} against the same held-out rows. The intervals are of what judges "
        "with so many rows find, not of the divergence itself: only their lower ends bound it."
    )


def _tested(test: TwoSampleResult) -> str:
    """Say in a sentence what the test reads, and what it finds."""
    asked = f"Have {test.n_real} held-out and {test.n_synthetic} synthetic rows one law? A test"
    p = f"(p = {number(test.p_value)})"
    if not test.told_apart:
        return f"{asked} sees no difference {p}."
    columns = f"; of the columns, {test.columns_by}" * (test.columns_by not in ("", test.by))
    return f"{asked} says no {p}; what shows it most is {test.by}{columns}."


def _broken(rules: tuple[Kept, ...]) -> str:
    """Say how many rules are broken, and which one most."""
    if not rules:
        return ""
    worst = f"{rules[0].rule} is broken in {100 * rules[0].share:.0f} % of the synthetic rows"
    if len(rules) == 1:
        return f"A rule of the real rows does not hold: {worst}."
    return f"{len(rules)} rules of the real rows do not hold; {worst}."


def _empty(tables: dict[str, Table]) -> tuple[tuple[str, str], ...]:
    """List the columns without a value, each with the name of its table."""
    columns = next(iter(tables.values())).schema.names
    return tuple(
        (column, name)
        for column in columns
        for name, table in tables.items()
        if table.to_arrow()[column].null_count == len(table)
    )


def _settings(random_state: RandomState, target: str | None, seconds: float) -> dict[str, Any]:
    seed = random_state if isinstance(random_state, int) else None
    releases = versions()
    return {
        "random_state": seed,
        "target": target,
        "views": dict(VIEWS),
        "seconds": round(seconds, 3),
        "python": releases.pop("python"),
        "versions": releases,
    }
