"""Judge a synthetic table: every number with its interval and its real-against-real reference."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from tabseed._progress import Progress, part, silent
from tabseed._random import RandomState, child, seed_sequence
from tabseed.errors import SchemaError, TooFewRowsError
from tabseed.metrics import (
    DiscriminatorDivergence,
    DivergenceResult,
    MarginalDistance,
    MarginalResult,
    Overlap,
    check_leakage,
)
from tabseed.metrics.divergence import VIEWS
from tabseed.metrics.leakage import conform
from tabseed.table import Table
from tabseed.table.files import write_text
from tabseed.table.schema import Schema

MIN_ROWS = DiscriminatorDivergence.min_rows
STEPS = ("comparing rows", "synthetic against holdout", "train against holdout", "columns")
PARTS = 100  # into which each step is divided when progress is told
TOTAL = PARTS * len(STEPS)


@dataclass(frozen=True)
class Evaluation:
    """What :func:`evaluate` found. ``verdict`` says it in plain words.

    ``divergence`` and ``marginal`` compare synthetic with held-out rows; the two ``_reference``
    compare the generator's training rows with the same held-out rows, by the same settings: what
    a perfect generator could reach. ``left_out`` gives each column not compared and why.
    """

    n_train: int
    n_synthetic: int
    n_holdout: int
    columns: tuple[str, ...]
    left_out: dict[str, str]
    overlap: Overlap
    divergence: DivergenceResult
    divergence_reference: DivergenceResult
    marginal: MarginalResult
    marginal_reference: MarginalResult
    verdict: str
    notes: tuple[str, ...]
    settings: dict[str, Any] = field(compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Give everything, JSON-ready (no NaN, no infinity)."""
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
            "metrics": {
                "divergence": self.divergence.to_dict(),
                "marginal": self.marginal.to_dict(),
            },
            "references": {
                "divergence": self.divergence_reference.to_dict(),
                "marginal": self.marginal_reference.to_dict(),
            },
            "notes": list(self.notes),
            "settings": dict(self.settings),
        }

    def to_json(self) -> str:
        """Give :meth:`to_dict` as indented JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)

    def to_html(self, path: str | os.PathLike[str] | None = None, *, force: bool = False) -> str:
        """Give the report as one self-contained page; write it to ``path`` if one is named."""
        from tabseed.evaluation.drawing import to_html

        page = to_html(self)
        if path is not None:
            write_text(page, path, force=force)
        return page


def evaluate(
    train: Any,
    synthetic: Any,
    holdout: Any,
    *,
    target: str | None = None,
    schema: Schema | None = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Compare synthetic rows with held-out real rows, and training rows with the same.

    ``train`` trained the generator; ``holdout`` trained nothing. All are frames or Tables; the
    schema is detected on ``train`` unless given, the others must hold its columns. ``target``
    is noted (and must be a column). ``progress(done, total, message)`` is called as work ends.
    The same ``random_state`` gives the same numbers whatever ``n_jobs``. Raises LeakageError,
    SchemaError, or TooFewRowsError below 10 rows in any table. Cost: see
    :class:`~tabseed.metrics.DiscriminatorDivergence`, twice without its permutations.
    """
    began = time.perf_counter()
    tables, full = _conform_all(train, synthetic, holdout, schema)
    if target is not None:
        full[target]  # unknown names raise, with the nearest name
    real, fake, held = tables
    report = progress or silent
    report(0, TOTAL, STEPS[0])
    overlap = check_leakage(real, held)
    seeds = seed_sequence(random_state)
    divergence = DiscriminatorDivergence(n_jobs=n_jobs).evaluate(
        held, fake, random_state=child(seeds, 0), progress=_step(progress, 1)
    )
    reference = DiscriminatorDivergence(n_jobs=n_jobs, permutations=0).evaluate(
        held, real, random_state=child(seeds, 1), progress=_step(progress, 2)
    )
    report(3 * PARTS, TOTAL, STEPS[3])
    marginal, marginal_reference = (
        MarginalDistance().evaluate(held, table, random_state=child(seeds, 2, place))
        for place, table in enumerate((fake, real))
    )
    report(TOTAL, TOTAL, "done")
    return Evaluation(
        n_train=len(real),
        n_synthetic=len(fake),
        n_holdout=len(held),
        columns=tuple(real.schema.names),
        left_out={c.name: c.reason for c in full.left_out},
        overlap=overlap,
        divergence=divergence,
        divergence_reference=reference,
        marginal=marginal,
        marginal_reference=marginal_reference,
        verdict=_verdict(divergence, reference),
        notes=_notes(overlap, divergence, tables),
        settings=_settings(random_state, target, time.perf_counter() - began),
    )


def _step(progress: Progress | None, index: int) -> Progress:
    return part(progress, index * PARTS, (index + 1) * PARTS, TOTAL, STEPS[index])


def _conform_all(
    train: Any, synthetic: Any, holdout: Any, schema: Schema | None
) -> tuple[tuple[Table, Table, Table], Schema]:
    """Bring all three to the modelled columns of one schema; give also the whole schema."""
    if schema is None:
        schema = Table.from_frame(train).schema
    modelled = schema.modelled
    if not len(modelled):
        raise SchemaError("no column to compare: all are ids or free text; set other kinds")
    real = conform(train, modelled, "train")
    modelled = real.schema  # with the categories that a schema file may leave open
    fake, held = conform(synthetic, modelled, "synthetic"), conform(holdout, modelled, "holdout")
    for name, table in (("train", real), ("synthetic", fake), ("holdout", held)):
        if len(table) < MIN_ROWS:
            raise TooFewRowsError(
                f"the {name} table has {len(table)} rows; judging needs at least {MIN_ROWS}"
            )
    return (real, fake, held), schema


def _verdict(found: DivergenceResult, reference: DivergenceResult) -> str:
    """Say first whether the tables can be told apart, then how small a difference could be seen."""
    names = {"trees": "boosted trees", "mlp": "a neural network"}
    js, coarse, real = found.js, found.js_coarse, reference.js
    can = "cannot" if js.low <= 0 else "can"
    text = f"The synthetic rows {can} be told from real ones by these {found.n_real} held-out rows."
    limit = found.smallest_js
    if limit is not None and (js.low <= 0 or js.value < limit):
        text += f" With {found.n_real} holdout rows a JS below {limit:.2g} cannot be told from 0."
    return text + (
        f" Jensen-Shannon divergence (JS): {_span(js.value)} bits (95 % interval {_span(js.low)} "
        f"to {_span(js.high)}; 0 alike, 1 disjoint; found by {names[found.by()]}), "
        f"{_span(coarse.value)} ({_span(coarse.low)} to {_span(coarse.high)}) with numbers seen by "
        f"their twentieth only; the training rows get {_span(real.value)} ({_span(real.low)} to "
        f"{_span(real.high)}) against the same rows."
    )


def _span(value: float) -> str:
    return f"{value:.3f}".replace("-0.000", "0.000")


def _notes(
    overlap: Overlap, found: DivergenceResult, tables: tuple[Table, Table, Table]
) -> tuple[str, ...]:
    _, fake, held = tables
    notes = [f"{overlap}."]
    for name, table, used in (
        ("holdout", held, found.n_real),
        ("synthetic", fake, found.n_synthetic),
    ):
        if used < len(table):
            notes.append(
                f"The divergence used {used} of {len(table)} {name} rows, drawn at random."
            )
    for column in held.schema:
        for name, table in (("synthetic", fake), ("holdout", held)):
            if table.to_arrow()[column.name].null_count == len(table):
                notes.append(f"Column {column.name!r} has no value in the {name} table.")
    return tuple(notes)


def _settings(random_state: RandomState, target: str | None, seconds: float) -> dict[str, Any]:
    seed = random_state if isinstance(random_state, int) else None
    packages = ("tabseed", "numpy", "scipy", "scikit-learn", "pyarrow")
    return {
        "random_state": seed,
        "target": target,
        "views": dict(VIEWS),
        "seconds": round(seconds, 3),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }
