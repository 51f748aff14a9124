"""Are synthetic rows like real ones? Each column, each pair, whole rows, beside what chance gives.

Notation: n real rows that judge (held-out ones, or the training rows without them), m synthetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from tabseed._progress import Progress, part, silent
from tabseed._random import RandomState, at_most, child, seed_sequence
from tabseed.errors import SchemaError, TooFewRowsError
from tabseed.evaluation.likeness_report import LikenessReport
from tabseed.metrics import (
    ChiSquareDivergence,
    Coverage,
    DiscriminatorDivergence,
    MarginalDistance,
    Metric,
    PairDistance,
    TwoSampleTest,
    check_leakage,
)
from tabseed.metrics.divergence import with_limit_of
from tabseed.metrics.leakage import conform, unknown_values
from tabseed.metrics.rules import check_rules, rules_of
from tabseed.pages import settings_of
from tabseed.parameters import (
    FLAG,
    FUNCTION,
    N_JOBS,
    SEED,
    InstanceOf,
    Parameters,
    Whole,
    check_parameters,
    checked,
    or_none,
)
from tabseed.table import Frame, Table
from tabseed.table.display import counted
from tabseed.table.schema import Schema

MIN_ROWS = DiscriminatorDivergence.min_rows
LEAST_DEALS = 139  # one of 140 deals is 5 % / 7 sorts of numbers: fewer could show nothing
DEALS, DEALT_CELLS = (199, 999), 50_000_000  # by default, and the cells in all of them together
STEPS = {  # and the share of the time at which each begins, in per cent
    "columns": 0,
    "pairs": 5,
    "neighbours": 15,
    "test": 20,
    "synthetic against real": 25,
    "train against holdout": 75,
    "chi-square": 95,
}
TOTAL = 100
STREAMS = {name: index for index, name in enumerate(STEPS)}
REFERENCE, THINNED = len(STEPS), len(STEPS) + 1  # random streams after those of the steps


class Likeness(BaseEstimator):
    """Compare synthetic with real rows in columns, in pairs of columns, and as whole rows.

    Columns: Kolmogorov-Smirnov distance or total variation, Wasserstein distance in the column's
    unit, shares of missing cells (:class:`~tabseed.metrics.MarginalDistance`). Pairs: Spearman's
    correlation, correlation ratio, Cramér's V (:class:`~tabseed.metrics.PairDistance`). Whole
    rows: precision, recall, density and coverage by ``k`` nearest neighbours
    (:class:`~tabseed.metrics.Coverage`), a test by seven signs
    (:class:`~tabseed.metrics.TwoSampleTest`), rules that the training rows keep, and with
    ``judges`` divergences (:class:`~tabseed.metrics.DiscriminatorDivergence`,
    :class:`~tabseed.metrics.ChiSquareDivergence`).

    Each number has an interval, what ``permutations`` deals of the pooled rows give (None: 199 to
    999, fewer for more cells; more make a finding depend less on the seed), an exact p-value that
    pays for all numbers looked at, what the training rows get against the same held-out rows, and
    the smallest difference that such rows would show four times in five. The p-values pay twice:
    for the numbers of a sort by the largest of them in each deal, and for the sorts by their number
    (Bonferroni), so that synthetic rows that are new real rows are called different in at most 5
    of 100 cases.

    Cost on one core without judges: 300 + 200 + 10,000 rows of 15 columns 3 s, three times 10,000
    rows of 100 columns 50 s and 0.5 GiB; of the judges see their own.

    References: those of the metrics; Westfall and Young, Resampling-Based Multiple Testing (1993).
    """

    parameters: ClassVar[Parameters] = {
        "permutations": or_none(Whole(LEAST_DEALS)),
        "k": Whole(1),
        "judges": FLAG,
        "n_jobs": N_JOBS,
    }

    def __init__(
        self,
        *,
        permutations: int | None = None,
        k: int = 5,
        judges: bool = True,
        n_jobs: int | None = None,
    ) -> None:
        self.permutations = permutations
        self.k = k
        self.judges = judges
        self.n_jobs = n_jobs

    @checked(schema=or_none(InstanceOf(Schema)), random_state=SEED, progress=or_none(FUNCTION))
    def evaluate(
        self,
        train: Frame,
        synthetic: Frame,
        holdout: Frame | None = None,
        *,
        schema: Schema | None = None,
        random_state: RandomState = 0,
        progress: Progress | None = None,
    ) -> LikenessReport:
        """Compare ``synthetic`` with ``holdout``, or with ``train`` if nothing was held out.

        ``train`` trained the generator, ``holdout`` trained nothing. All are frames or Tables; the
        schema is detected on ``train`` unless one is passed. Rows for neighbours are as many
        synthetic ones as training rows at most, so that both can be compared with the held-out
        ones. ``progress(done, total, message)`` is called as work is done. The same
        ``random_state`` gives the same numbers for any ``n_jobs``. Raises LeakageError where the
        holdout repeats the training rows, SchemaError, and TooFewRowsError for a table of fewer
        than 10 rows.
        """
        check_parameters(self)
        tables = conform_three(train, synthetic, holdout, schema)
        seeds = seed_sequence(random_state)
        real, fake, held_out = tables
        overlap = None if held_out is None else check_leakage(real, held_out)
        judging = real if held_out is None else held_out
        found = self._compared(tables, judging, seeds, progress)
        if self.judges:
            found |= self._judged(tables, judging, seeds, progress)
        (progress or silent)(TOTAL, TOTAL, "done")
        known = {"synthetic": fake} | ({} if held_out is None else {"holdout": held_out})
        return LikenessReport(
            n_train=len(real),
            n_synthetic=len(fake),
            n_holdout=None if held_out is None else len(held_out),
            schema=real.schema,
            rules=check_rules(rules_of(real), (judging,), fake),
            overlap=overlap,
            unknown=tuple(unknown_values(known)),
            settings=settings_of(self) | {"seed": str(random_state)},
            **found,
        )

    def _compared(
        self,
        tables: tuple[Table, Table, Table | None],
        judging: Table,
        seeds: np.random.SeedSequence,
        progress: Progress | None,
    ) -> dict[str, Any]:
        """Return what needs no judges: columns, pairs, neighbours and the test."""
        real, fake, held_out = tables
        k = min(self.k, min(len(judging), len(fake), len(real)) - 1)
        many = self.permutations
        if many is None:
            cells = (len(judging) + len(fake)) * len(real.schema)
            many = int(np.clip(DEALT_CELLS // cells, *DEALS))
        thinned = fake
        if held_out is not None:
            thinned = fake.take(at_most(len(fake), len(real), child(seeds, THINNED)))
        metrics: dict[str, tuple[str, Metric[Any], Table]] = {
            "columns": ("margins", MarginalDistance(permutations=many), fake),
            "pairs": ("pairs", PairDistance(permutations=many), fake),
            "neighbours": ("neighbours", Coverage(k=k, permutations=many), thinned),
        }
        found: dict[str, Any] = {}
        for step, (name, metric, rows) in metrics.items():
            stream = child(seeds, STREAMS[step])
            at = _step(progress, step)
            found[name] = metric.evaluate(judging, rows, random_state=stream, progress=at)
            found[f"{name}_reference"] = None
            if held_out is not None:
                bare = metric.set_params(permutations=0)
                stream = child(stream, REFERENCE)
                found[f"{name}_reference"] = bare.evaluate(held_out, real, random_state=stream)
        found["test"] = TwoSampleTest().evaluate(
            judging,
            fake,
            train=None if held_out is None else real,
            random_state=child(seeds, STREAMS["test"]),
            progress=_step(progress, "test"),
        )
        return found | dict.fromkeys(JUDGED)

    def _judged(
        self,
        tables: tuple[Table, Table, Table | None],
        judging: Table,
        seeds: np.random.SeedSequence,
        progress: Progress | None,
    ) -> dict[str, Any]:
        """Return the divergences that judges find, with those of the training rows."""
        real, fake, held_out = tables
        train = None if held_out is None else real

        def divergence(step: str, rows: Table, permutations: int | None) -> Any:
            return DiscriminatorDivergence(n_jobs=self.n_jobs, permutations=permutations).evaluate(
                judging,
                rows,
                train=train,
                random_state=child(seeds, STREAMS[step]),
                progress=_step(progress, step),
            )

        found: dict[str, Any] = {"divergence": divergence("synthetic against real", fake, None)}
        chi_square = ChiSquareDivergence(permutations=0, n_jobs=self.n_jobs)
        stream = child(seeds, STREAMS["chi-square"])
        found["chi_square"] = chi_square.evaluate(judging, fake, train=train, random_state=stream)
        if held_out is not None:
            reference = divergence("train against holdout", real, 0)
            found["divergence_reference"] = with_limit_of(reference, found["divergence"])
            found["chi_square_reference"] = chi_square.evaluate(
                held_out, real, random_state=child(stream, REFERENCE)
            )
        return found


JUDGED = ("divergence", "divergence_reference", "chi_square", "chi_square_reference")


def conform_all(
    train: Frame, others: Mapping[str, Frame], schema: Schema | None
) -> dict[str, Table]:
    """Return "train" and the other tables by name, with the modelled columns of one schema.

    The schema None is that of ``train``. SchemaError if there is no column to compare.
    """
    modelled = (Table.from_frame(train).schema if schema is None else schema).modelled
    if not len(modelled):
        raise SchemaError(
            "no column to compare: all are ids or free text; set another kind for one"
        )
    real = conform(train, modelled, "train")
    # the schema of the table, which has the categories that a schema file may omit
    return {"train": real} | {n: conform(frame, real.schema, n) for n, frame in others.items()}


def check_sizes(tables: Mapping[str, Table], least: Mapping[str, int], needing: str) -> None:
    """Raise TooFewRowsError for a table of fewer rows than ``needing`` needs at least."""
    for name, table in tables.items():
        if len(table) < least[name]:
            raise TooFewRowsError(
                f"the {name} table has {counted(len(table), 'row')}; {needing} needs at least "
                f"{least[name]}"
            )


def conform_three(
    train: Frame, synthetic: Frame, holdout: Frame | None, schema: Schema | None
) -> tuple[Table, Table, Table | None]:
    """Return the tables of a likeness with one schema; TooFewRowsError for fewer than 10 rows."""
    others = {"synthetic": synthetic} | ({} if holdout is None else {"holdout": holdout})
    tables = conform_all(train, others, schema)
    check_sizes(tables, dict.fromkeys(tables, MIN_ROWS), "likeness")
    return tables["train"], tables["synthetic"], tables.get("holdout")


def _step(progress: Progress | None, name: str) -> Progress:
    starts = [*STEPS.values(), TOTAL]
    return part(progress, starts[STREAMS[name]], starts[STREAMS[name] + 1], TOTAL, name)
