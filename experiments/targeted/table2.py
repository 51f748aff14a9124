"""Table 2 of arXiv 2410.00759 and numbers of added rows, by the published and an honest design.

    TABSEED_DATA=... python -m experiments.targeted table2 [faithful|honest|amounts] [TABLE ...]

``faithful`` is the published design at a small scale: one split, the best of a few settings is
chosen and reported on the same validation rows. In addition, a test part has no other use.
``honest`` and ``amounts`` are :func:`tabseed.evaluate_augmentation`. Lines go to
``results/table2_faithful.csv``, ``table2_honest.csv`` and ``amounts.csv``; resumable.
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

# the targets of the paper's diabetes, credit_card, blobs and support
TARGETS = {"diabetes_cdc": "Diabetes_binary", "credit_card": "Y", "blobs": "y", "support2": "death"}
IDS = ("id", "ID")
TARGET = "target"
BOOSTER = {"max_depth": 4, "learning_rate": 0.05, "subsample": 0.8, "n_jobs": 1}
COLSAMPLE = 0.6  # with two columns, one per tree: the model cannot learn interactions
SHARES = (0.05, 0.1, 0.2)
EQUAL = 0.1  # added rows, as a share of all training rows
TREES = {"n_orders": 2, "n_trees": 2, "n_jobs": 1}  # its own choice for large tables

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
    """Return at most ``most`` rows of a table, without ids and columns that leak the target."""
    arrow = pq.read_table(DATA / f"{name}.parquet")
    out = {*IDS, *LEFT_OUT.get(name, ())} & set(arrow.column_names)
    if most is not None and most < len(arrow):
        index = np.random.default_rng(2410).choice(len(arrow), most, replace=False)
        arrow = arrow.take(np.sort(index))
    return arrow.drop_columns(sorted(out))


# --- faithful -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """Rows of a split: points (n, d) and classes (n,)."""

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Setup:
    """The data that all arms of a table share.

    ``table`` has the training rows with their classes, ``order`` (n,) their indices, hardest first;
    ``held`` are validation and test rows, ``none`` their right sides without augmentation.
    """

    table: ts.Table
    train: Part
    order: np.ndarray
    held: tuple[Part, Part]
    none: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, name: str) -> Setup:
        """Split 70/10/10/10, standardise, value the training rows by the valuation rows."""
        x, y = points(name)
        train, rest = train_test_split(
            np.arange(len(y)), test_size=0.3, stratify=y, random_state=42
        )
        valuing, rest = train_test_split(rest, test_size=2 / 3, stratify=y[rest], random_state=42)
        held_out_index = train_test_split(rest, test_size=0.5, stratify=y[rest], random_state=42)
        x = StandardScaler().fit(x[train]).transform(x)
        training, reference, validation, test = (
            Part(x[own], y[own]) for own in (train, valuing, *held_out_index)
        )
        hardness = ts.KNNShapley(n_neighbors=5).fit_score(
            training.x, training.y, reference=(reference.x, reference.y)
        )
        columns = {f"x{j}": values for j, values in enumerate(training.x.T)}
        kinds = dict.fromkeys(columns, "continuous") | {TARGET: "categorical"}
        table = ts.Table.from_frame(pa.table(columns | {TARGET: training.y}), kinds=kinds)
        held_out = validation, test
        order = np.argsort(-hardness, kind="stable")
        return cls(table, training, order, held_out, right_sides(training, held_out))

    def augmented(self, generator: Generator, m: int, draw: int) -> Part:
        """Return the training rows, followed by m synthetic rows."""
        table = ts.Table.from_frame(
            generator.sample(m, random_state=draw), schema=self.table.schema
        )
        x = np.column_stack([table.numbers(c) for c in table.schema.names if c != TARGET])
        y = np.array(table.values(TARGET), dtype=int)
        return Part(np.concatenate([self.train.x, x]), np.concatenate([self.train.y, y]))


def points(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return features as numbers (text coded, missing values -1, as published) and classes."""
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


def right_sides(train: Part, held_out: tuple[Part, Part]) -> tuple[np.ndarray, np.ndarray]:
    """Train the published model, stopped on the first part; return mean :func:`right_side`."""
    all_sides: list[list[np.ndarray]] = [[], []]
    for seed in range(SEEDS):
        model = XGBClassifier(
            **BOOSTER,
            colsample_bytree=COLSAMPLE,
            n_estimators=9_999,
            early_stopping_rounds=100,
            eval_metric="auc",
            random_state=seed,
        )
        model.fit(train.x, train.y, eval_set=[(held_out[0].x, held_out[0].y)], verbose=False)
        for part, sides in zip(held_out, all_sides, strict=True):
            sides.append(right_side(model.predict_proba(part.x)[:, 1], part.y))
    return np.mean(all_sides[0], axis=0), np.mean(all_sides[1], axis=0)


def faithful_lines(name: str, setup: Setup, share: float, setting: str) -> list[Row]:
    """Fit a generator to the hardest share; return a line for each number of added rows."""
    n = len(setup.train.y)
    hard = np.sort(setup.order[: int(share * n)])
    family, parameters = SETTINGS[setting]
    generator = generator_class(family)(**parameters, random_state=0)
    began = time.perf_counter()
    generator.fit(setup.table.take(hard), target=TARGET)
    lines = []
    for added in sorted({EQUAL, share} if share < 1 else {EQUAL}):
        draws = [setup.augmented(generator, int(added * n), g) for g in range(DRAWS)]
        sides = [right_sides(train, setup.held) for train in draws]
        line: Row = {"table": name, "rows": n, "learned": str(share), "added": str(added)}
        line |= {"setting": setting, "positive": float(setup.train.y[hard].mean())}
        for part, split in enumerate(("validation", "test")):
            y, none = setup.held[part].y, setup.none[part]
            gain = np.mean([side[part] for side in sides], axis=0) - none
            gains = np.array([gini(side[part], y) for side in sides]) - gini(none, y)
            numbers = {
                "none": gini(none, y),
                "gain": gains.mean(),
                "half over draws": half_interval(gains),
                "error over rows": row_error(gain, y),
            }
            line |= {f"{split} {key}": f"{value:.5f}" for key, value in numbers.items()}
        lines.append({**line, "seconds": time.perf_counter() - began})
        began = time.perf_counter()
    return lines


def faithful(tables: Sequence[str]) -> None:
    """Measure the missing settings of every arm."""
    results = Results(RESULTS / "table2_faithful.csv", FAITHFUL_KEYS)
    for name in tables:
        setup = None
        for share in (*SHARES, 1.0):
            for setting in SETTINGS:
                key = {"table": name, "learned": str(share), "setting": setting}
                if results.has(**key, added=str(max(EQUAL, share) if share < 1 else EQUAL)):
                    continue
                setup = Setup.of(name) if setup is None else setup
                results.add_new(faithful_lines(name, setup, share, setting))


# --- honest ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """One table, the share of hard rows, and the added rows as a share of all."""

    table: str
    hardest: float
    added: float

    @property
    def key(self) -> dict[str, str]:
        """The key of its lines in the results."""
        return {"table": self.table, "hardest": str(self.hardest), "added": str(self.added)}


def honest_lines(cell: Cell, protocol: ts.AugmentationProtocol) -> list[Row]:
    """Run the protocol; return a line for each arm."""
    target = TARGETS[cell.table]
    arrow = stored(cell.table, HONEST_ROWS[cell.table])
    table = ts.Table.from_frame(arrow, kinds={target: "categorical"})
    features = ts.Schema(tuple(c for c in table.schema.modelled if c.name != target))
    evaluation = ts.evaluate_augmentation(
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
    key: Row = {**cell.key, "rows": len(arrow), "rows added": int(evaluation.n_added[0])}
    return [{**key, **line} for line in arm_lines(evaluation)]


def measure(file: str, cells: Sequence[Cell], protocol: ts.AugmentationProtocol) -> None:
    """Measure the missing cells."""
    results = Results(RESULTS / file, HONEST_KEYS)
    for cell in cells:
        if results.has(**cell.key, arm=protocol.names[-1]):
            continue
        results.add_new(honest_lines(cell, protocol))


def honest(tables: Sequence[str]) -> None:
    """Measure every share of hard rows, with equal numbers of added rows."""
    cells = [Cell(table, hardest, EQUAL) for hardest in SHARES for table in tables]
    measure("table2_honest.csv", cells, ts.AugmentationProtocol(splits=SPLITS, draws=HONEST_DRAWS))


def amounts(tables: Sequence[str]) -> None:
    """Measure 5 to 20 % of added rows, with a tenth of the rows as hard ones."""
    names = [table for table in AMOUNT_TABLES if table in tables]
    cells = [Cell(table, 0.1, added) for table in names for added in AMOUNTS]
    protocol = ts.AugmentationProtocol(splits=SPLITS, draws=HONEST_DRAWS, arms=AMOUNT_ARMS)
    measure("amounts.csv", cells, protocol)


PARTS = {"faithful": faithful, "honest": honest, "amounts": amounts}


def run(args: list[str]) -> None:
    """Measure what is missing in the named parts and tables, or in all."""
    for name in set(args) - {*PARTS, *TARGETS}:
        choices = ", ".join([*PARTS, *TARGETS])
        raise SystemExit(f"{name!r} is neither a part nor a table; choose from {choices}")
    tables = [name for name in TARGETS if name in args] or list(TARGETS)
    for name, part in PARTS.items():
        if name in args or not set(args) & set(PARTS):
            part(tables)
