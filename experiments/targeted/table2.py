"""Table 2 of arXiv 2410.00759, and how many rows to add: the published design, and the honest one.

    TABSEED_DATA=... python -m experiments.targeted table2 [faithful|honest|amounts] [TABLE ...]

``faithful`` is the published design in little: one split, the best of a few settings chosen and
reported on the same validation rows. Beside it stands a test part that nothing else uses.
``honest`` and ``amounts`` are :func:`tabseed.evaluate_augmentation`. Lines go to
``results/table2_faithful.csv``, ``table2_honest.csv`` and ``amounts.csv``; begun again, it goes on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

import tabseed as ts
from experiments.common.data import DATA
from experiments.common.results import Results, Row, half_interval
from experiments.targeted.gini import gini, right_side, row_error
from experiments.targeted.honest import LEFT_OUT, RESULTS, arm_lines
from tabseed.generators import generator_class
from tabseed.generators.base import Generator

# diabetes, credit_card, blobs and support of the paper: their targets
TARGETS = {"diabetes_cdc": "Diabetes_binary", "credit_card": "Y", "blobs": "y", "support2": "death"}
IDS = ("id", "ID")
TARGET = "target"
BOOSTER = {"max_depth": 4, "learning_rate": 0.05, "subsample": 0.8, "n_jobs": 1}
COLSAMPLE = 0.6  # of two columns that is one a tree: no interaction can be learned
SHARES = (0.05, 0.1, 0.2)
EQUAL = 0.1  # rows added, as a share of all training rows
TREES = {"n_orders": 2, "n_trees": 2, "n_jobs": 1}  # as it takes itself for large tables

# faithful
MOST_ROWS = {"diabetes_cdc": 20_000}  # of 253,680
DRAWS, SEEDS = 3, 3
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "trees 3": ("trees", {**TREES, "min_leaf": 3}),
    "trees 20": ("trees", {**TREES, "min_leaf": 20}),
    "tvae 16 128": ("tvae", {"latent_dim": 16, "hidden_dim": 128, "n_seeds": 1, "device": "cpu"}),
    "tvae 64 256": ("tvae", {"latent_dim": 64, "hidden_dim": 256, "n_seeds": 1, "device": "cpu"}),
}
FAITHFUL_KEYS = ("table", "learned", "added", "setting")

# honest
HONEST_ROWS = {"diabetes_cdc": 2_000, "credit_card": 2_000, "blobs": 3_000, "support2": 2_000}
HONEST_KEYS = ("table", "hardest", "added", "arm")
SPLITS, HONEST_DRAWS = 10, 2
AMOUNTS, AMOUNT_TABLES = (0.05, 0.1, 0.15, 0.2), ("credit_card", "blobs")
AMOUNT_ARMS = ("random", "full", "smote")


def stored(name: str, most: int | None) -> pa.Table:
    """Give the rows of a table, or ``most`` drawn, without ids and what gives the target away."""
    arrow = pq.read_table(DATA / f"{name}.parquet")
    out = {*IDS, *LEFT_OUT.get(name, ())} & set(arrow.column_names)
    if most is not None and most < len(arrow):
        places = np.random.default_rng(2410).choice(len(arrow), most, replace=False)
        arrow = arrow.take(np.sort(places))
    return arrow.drop_columns(sorted(out))


# --- faithful -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """Rows of a split: points (n, d) and classes (n,)."""

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Setup:
    """What all arms of a table share.

    ``table`` holds the training rows with their classes, ``order`` (n,) their places, the hardest
    first; ``held`` are validation and test rows, ``none`` their right sides without augmentation.
    """

    table: ts.Table
    train: Part
    order: np.ndarray
    held: tuple[Part, Part]
    none: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, name: str) -> Setup:
        """Split 70/10/10/10, standardise, value training rows by the valuation rows."""
        x, y = points(name)
        train, rest = train_test_split(
            np.arange(len(y)), test_size=0.3, stratify=y, random_state=42
        )
        valuing, rest = train_test_split(rest, test_size=2 / 3, stratify=y[rest], random_state=42)
        places = train_test_split(rest, test_size=0.5, stratify=y[rest], random_state=42)
        x = StandardScaler().fit(x[train]).transform(x)
        learned, reference, validation, test = (
            Part(x[own], y[own]) for own in (train, valuing, *places)
        )
        hardness = ts.KNNShapley(n_neighbors=5).fit_score(
            learned.x, learned.y, reference=(reference.x, reference.y)
        )
        columns = {f"x{j}": values for j, values in enumerate(learned.x.T)}
        kinds = dict.fromkeys(columns, "continuous") | {TARGET: "categorical"}
        table = ts.Table.from_frame(pa.table(columns | {TARGET: learned.y}), kinds=kinds)
        held = validation, test
        order = np.argsort(-hardness, kind="stable")
        return cls(table, learned, order, held, right_sides(learned, held))

    def drawn(self, generator: Generator, m: int, draw: int) -> Part:
        """Give the training rows with m drawn ones below."""
        table = ts.Table.from_frame(
            generator.sample(m, random_state=draw), schema=self.table.schema
        )
        x = np.column_stack([table.numbers(c) for c in table.schema.names if c != TARGET])
        y = np.array(table.values(TARGET), dtype=int)
        return Part(np.concatenate([self.train.x, x]), np.concatenate([self.train.y, y]))


def points(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Give features as numbers, text coded and missing ones -1 as published, and classes."""
    arrow = stored(name, MOST_ROWS.get(name))
    columns = {}
    for column in arrow.column_names:
        values = arrow[column].combine_chunks()
        if pa.types.is_string(values.type):
            coded = np.unique(values.fill_null("NULL").to_numpy(False), return_inverse=True)[1]
            columns[column] = coded.astype(float)
        else:
            columns[column] = values.cast("float64").fill_null(-1.0).to_numpy()
    y = columns.pop(TARGETS[name]).astype(int)
    return np.column_stack(list(columns.values())), y


def right_sides(train: Part, held: tuple[Part, Part]) -> tuple[np.ndarray, np.ndarray]:
    """Train the published model, stopped on the first part held; mean :func:`right_side`."""
    found: list[list[np.ndarray]] = [[], []]
    for seed in range(SEEDS):
        model = XGBClassifier(
            **BOOSTER,
            colsample_bytree=COLSAMPLE,
            n_estimators=9_999,
            early_stopping_rounds=100,
            eval_metric="auc",
            random_state=seed,
        )
        model.fit(train.x, train.y, eval_set=[(held[0].x, held[0].y)], verbose=False)
        for part, sides in zip(held, found, strict=True):
            sides.append(right_side(model.predict_proba(part.x)[:, 1], part.y))
    return np.mean(found[0], axis=0), np.mean(found[1], axis=0)


def faithful_lines(name: str, setup: Setup, learned: float, setting: str) -> list[Row]:
    """Let a generator learn the hardest share, and draw; a line for each number of rows added."""
    n = len(setup.train.y)
    hard = np.sort(setup.order[: int(learned * n)])
    family, parameters = SETTINGS[setting]
    made = generator_class(family)(**parameters, random_state=0)
    began = time.perf_counter()
    made.fit(setup.table.take(hard), target=TARGET)
    lines = []
    for added in sorted({EQUAL, learned} if learned < 1 else {EQUAL}):
        draws = [setup.drawn(made, int(added * n), g) for g in range(DRAWS)]
        sides = [right_sides(train, setup.held) for train in draws]
        line: Row = {"table": name, "rows": n, "learned": str(learned), "added": str(added)}
        line |= {"setting": setting, "positive": float(setup.train.y[hard].mean())}
        for at, split in enumerate(("validation", "test")):
            y, none = setup.held[at].y, setup.none[at]
            gain = np.mean([side[at] for side in sides], axis=0) - none
            each = np.array([gini(side[at], y) for side in sides]) - gini(none, y)
            found = {
                "none": gini(none, y),
                "gain": each.mean(),
                "half over draws": half_interval(each),
                "error over rows": row_error(gain, y),
            }
            line |= {f"{split} {what}": f"{value:.5f}" for what, value in found.items()}
        lines.append({**line, "seconds": time.perf_counter() - began})
        began = time.perf_counter()
    return lines


def faithful(tables: Sequence[str]) -> None:
    """Measure every setting of every arm."""
    results = Results(RESULTS / "table2_faithful.csv", FAITHFUL_KEYS)
    for name in tables:
        setup = None
        for learned in (*SHARES, 1.0):
            for setting in SETTINGS:
                key = {"table": name, "learned": str(learned), "setting": setting}
                if results.has(**key, added=str(max(EQUAL, learned) if learned < 1 else EQUAL)):
                    continue
                setup = Setup.of(name) if setup is None else setup
                results.add_new(faithful_lines(name, setup, learned, setting))


# --- honest ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """One table, the share taken for hard, and the rows added as a share of all."""

    table: str
    hardest: float
    added: float

    @property
    def key(self) -> dict[str, str]:
        """What finds its lines."""
        return {"table": self.table, "hardest": str(self.hardest), "added": str(self.added)}


def honest_lines(cell: Cell, protocol: ts.AugmentationProtocol) -> list[Row]:
    """Run the protocol; a line an arm."""
    target = TARGETS[cell.table]
    arrow = stored(cell.table, HONEST_ROWS[cell.table])
    table = ts.Table.from_frame(arrow, kinds={target: "categorical"})
    features = ts.Schema(tuple(c for c in table.schema.modelled if c.name != target))
    found = ts.evaluate_augmentation(
        table.select(features),
        np.array(table.values(target)),
        ts.TargetedAugmenter(
            generator_class("trees")(**TREES),
            hardest=cell.hardest,
            amount=cell.added / cell.hardest,
            per_class=True,
        ),
        model=XGBClassifier(
            **BOOSTER,
            colsample_bytree=1.0 if len(features) == 2 else COLSAMPLE,
            n_estimators=2_000,
            early_stopping_rounds=50,
            eval_metric="logloss",
        ),
        protocol=protocol,
        random_state=0,
        n_jobs=1,
    )
    key: Row = {**cell.key, "rows": len(arrow), "rows added": int(found.n_added[0])}
    return [{**key, **line} for line in arm_lines(found)]


def measure(file: str, cells: Sequence[Cell], protocol: ts.AugmentationProtocol) -> None:
    """Measure the cells that were not yet."""
    results = Results(RESULTS / file, HONEST_KEYS)
    for cell in cells:
        if results.has(**cell.key, arm=protocol.names[-1]):
            continue
        results.add_new(honest_lines(cell, protocol))


def honest(tables: Sequence[str]) -> None:
    """Every share of hard rows, as many rows added for each."""
    cells = [Cell(table, hardest, EQUAL) for hardest in SHARES for table in tables]
    measure("table2_honest.csv", cells, ts.AugmentationProtocol(splits=SPLITS, draws=HONEST_DRAWS))


def amounts(tables: Sequence[str]) -> None:
    """A tenth taken for hard, 5 to 20 % added."""
    chosen = [table for table in AMOUNT_TABLES if table in tables]
    cells = [Cell(table, 0.1, added) for table in chosen for added in AMOUNTS]
    protocol = ts.AugmentationProtocol(splits=SPLITS, draws=HONEST_DRAWS, arms=AMOUNT_ARMS)
    measure("amounts.csv", cells, protocol)


PARTS = {"faithful": faithful, "honest": honest, "amounts": amounts}


def run(args: list[str]) -> None:
    """Measure what was not yet, of the parts and tables named, or of all."""
    for name in set(args) - {*PARTS, *TARGETS}:
        raise SystemExit(f"{name!r} is neither of {', '.join(PARTS)} nor of {', '.join(TARGETS)}")
    tables = [name for name in TARGETS if name in args] or list(TARGETS)
    for name, part in PARTS.items():
        if name in args or not set(args) & set(PARTS):
            part(tables)
