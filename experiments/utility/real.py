"""Two-stage generators on real tables: features from one model, responses from another.

A line of ``real.csv`` is one table, draw of training rows, feature generator and response: the cost
of training on the synthetic rows, whether they lead to the same choice of model, the three terms
(means over models), and the divergence of the features. ``real_models.csv`` has the gaps by model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import tabseed as ts
from experiments.common.data import DATA
from experiments.common.results import Results, Row
from tabseed.coding.labels import task_of
from tabseed.metrics import ChiSquareDivergence
from tabseed.metrics.models import zoo
from tabseed.table.schema import Schema
from tabseed.utility.decomposition import decompose, mean_decomposition
from tabseed.utility.gap import gaps
from tabseed.utility.measure import Measured, Measuring, measure
from tabseed.utility.ranking import TSTR, TSTS, rank
from tabseed.utility.report import mean_cost

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Source:
    """A table: its target and kind of target, training rows, draws, and models (None: all)."""

    target: str
    kind: str | None = None
    rows: int = 300
    draws: int = 3
    models: tuple[str, ...] | None = None
    left_out: tuple[str, ...] = ()


PIXELS = ("linear", "neighbours", "forest", "extra-trees", "network")
TABLES = {
    "adult": Source("income"),
    "german_credit": Source("class"),
    "diabetes_pima": Source("class"),
    "insurance": Source("charges"),
    "king": Source("price", left_out=("id", "date", "zipcode")),
    "digits": Source("target", "categorical", 600, 2),
    "mnist_t10k": Source("class", "categorical", 2_000, 1, PIXELS),
}
FEATURES: dict[str, Any] = {
    "resample, smoothed": ts.Resample(smoothing=1.0),
    "copula": ts.GaussianCopula(),
    "trees": ts.SequentialTrees(),
}
RESPONSES = ("forest", "linear")
SLOW = {"mnist_t10k": ("resample, smoothed", "copula")}  # features from these generators only
JOINT = "trees, all columns at once"
MOST_HELD_OUT, N_SYNTHETIC = 2_000, 2_000  # most held-out rows, number of synthetic rows
KEYS = ("table", "draw", "features", "response")


def cells(names: list[str]) -> Iterator[tuple[str, int, str, str]]:
    """Yield all cells; every table gets its first draw before any gets its second."""
    for draw in range(3):
        for name in names or TABLES:
            if draw < TABLES[name].draws:
                features = SLOW.get(name, tuple(FEATURES))
                yield from ((name, draw, f, r) for f in features for r in RESPONSES)
                if name not in SLOW:
                    yield name, draw, JOINT, ""


def rows_of(name: str, draw: int) -> tuple[ts.Table, ts.Table]:
    """Return training rows and held-out rows, both with the schema of the training rows."""
    source = TABLES[name]
    arrow = pq.read_table(DATA / f"{name}.parquet").drop_columns(list(source.left_out))
    order = np.random.default_rng((2305, draw)).permutation(len(arrow))
    kinds = {source.target: source.kind} if source.kind else None
    train = ts.Table.from_frame(arrow.take(order[: source.rows]), kinds=kinds)
    held_out = arrow.take(order[source.rows : source.rows + MOST_HELD_OUT])
    return train, ts.Table.from_frame(held_out, schema=train.schema)


def measured(cell: tuple[str, int, str, str]) -> tuple[Row, list[Row]]:
    """Learn, draw and measure; return the line of a cell and the lines of its models."""
    name, draw, features, response = cell
    source = TABLES[name]
    train, held_out = rows_of(name, draw)
    responses = None
    if features == JOINT:
        generator: Any = ts.SequentialTrees(random_state=draw)
    else:
        generator = ts.FeatureResponse(FEATURES[features], response, random_state=draw)
    generator.fit(train, target=source.target)
    if features != JOINT:
        responses = [generator.response_mean]
    synthetic = ts.Table.from_frame(generator.sample(N_SYNTHETIC), schema=train.schema.modelled)
    models = None
    if source.models is not None:
        all_models = zoo(task_of(train.schema, source.target), source.rows)
        models = {key: all_models[key] for key in source.models}
    settings = Measuring(models=models, seeds=1, responses=responses, n_jobs=1)
    measurement = measure(train, synthetic, held_out, source.target, settings, draw)
    line = dict(zip(KEYS, cell, strict=True)) | _summary(measurement)
    line["pooled chi2"] = (
        "" if name in SLOW else _fidelity(train, synthetic, held_out, source.target)
    )
    by_model = [
        dict(zip(KEYS, cell, strict=True))
        | {"model": gap.model, "risk real": gap.risk_real.value}
        | {f"gap {end}": getattr(gap.signed, end) for end in ("value", "low", "high")}
        | {f"{name} term": term.value for name, term in terms.terms.items()}
        | {"difference": terms.difference.value, "difference se": terms.difference_se}
        for gap, terms in zip(gaps(measurement), decompose(measurement), strict=True)
    ]
    return line, by_model


def _summary(measurement: Measured) -> Row:
    cost, ranking, mean = mean_cost(measurement), rank(measurement), mean_decomposition(measurement)
    terms = decompose(measurement)
    line: Row = {"unit": cost.unit, "cost": cost.value, "low": cost.low, "high": cost.high}
    for cell in (TSTR, TSTS):
        agreement, choice = ranking.agreements[cell], ranking.choices[cell]
        line |= {
            f"{cell} consistent": agreement.consistent,
            f"{cell} decided": agreement.decided,
            f"{cell} tau": agreement.tau.value,
            f"{cell} regret": choice.regret.value,
        }
    gap = mean.direct.value
    line |= {"regret by lot": ranking.random_regret, "mean gap": gap}
    line |= {f"{name} term": term.value for name, term in mean.terms.items()}
    line["adds up"] = sum(term.adds_up for term in terms)
    line["models"] = len(terms)
    return line


def _fidelity(train: ts.Table, synthetic: ts.Table, held_out: ts.Table, target: str) -> float:
    features = Schema(tuple(c for c in train.schema.modelled if c.name != target))
    metric = ChiSquareDivergence(permutations=0, max_rows=1_000)
    pair = (table.select(features) for table in (held_out, synthetic))
    return float(metric.evaluate(*pair, random_state=0).pooled.value)


def run(names: list[str]) -> None:
    """Measure what is missing."""
    lines = Results(RESULTS / "real.csv", KEYS)
    models = Results(RESULTS / "real_models.csv", (*KEYS, "model"))
    for cell in cells(names):
        key = dict(zip(KEYS, cell, strict=True))
        if lines.has(**key):
            continue
        line, by_model = measured(cell)
        models.add_new(by_model)
        lines.add(line)
