"""The arms of the study: sequential trees without knowledge, with each kind, and with wrong ones.

Each draw takes n rows to learn from, and 4,000 others (all others of small tables) to judge; what
is "known from elsewhere" (margins) comes from all other rows, as from a census. All arms of a draw
learn the same rows with the same seed and draw as many rows; gains are paired.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from scipy.spatial import cKDTree
from scipy.stats import skew
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score

import tabseed as ts
from experiments.common.data import DATA
from experiments.common.results import Row
from tabseed.coding.encode import TableEncoder
from tabseed.coding.points import Features
from tabseed.errors import TabseedError
from tabseed.table.schema import NUMERIC

HERE = Path(__file__).parent
SIZES, DRAWS, JUDGED, SEED = (30, 57, 100, 300, 1_000), 2, 4_000, 1_919
MEASURES = ("plain", "coarse", "margins", "useful", "closeness")
FEW, MORE_DRAWS = 57, 12  # rows at which margins are measured by table, and draws of these
DROPPED = {"king": ["id", "date"], "support2": ["id"]}
OFF = 0.1  # points by which a wrong margin is off
HEAVY = 1.5  # skewness of a column of which only the mean is told
JUDGE = ts.DiscriminatorDivergence(permutations=0, folds=3, repeats=1, n_jobs=1)


@dataclass(frozen=True)
class Case:
    """A table: the column to predict, what is known of it, and margins that a census would have."""

    target: str
    rules: tuple[str, ...]
    directions: Mapping[str, Mapping[str, int]]
    margins: tuple[str, ...]


CASES = {
    "king": Case(
        "price",
        ("sqft_living = sqft_above + sqft_basement", "sqft_basement >= 0", "floors % 0.5 = 0"),
        {"price": {"sqft_above": 1, "grade": 1}, "sqft_above": {"bedrooms": 1, "bathrooms": 1}},
        ("waterfront", "condition", "price", "sqft_living"),
    ),
    "adult": Case(
        "income",
        ("17 <= age <= 90", "relationship = Husband -> sex = Male",
         "relationship = Wife -> sex = Female"),
        {"income": {"education-num": 1, "age": 1, "hours-per-week": 1}},
        ("sex", "race", "income", "age", "hours-per-week"),
    ),
    "news": Case(
        "shares",
        ("self_reference_min_shares <= self_reference_avg_sharess",
         "self_reference_avg_sharess <= self_reference_max_shares"),
        {},
        ("n_tokens_title", "num_imgs"),
    ),
    "intrusion": Case("label", (), {}, ("protocol_type", "label")),
    "heart_cleveland": Case(
        "num", ("trestbps > 0",), {"num": {"oldpeak": 1, "thalach": -1}}, ("sex", "cp", "age"),
    ),
    "insurance": Case(
        "charges", ("age >= 18", "charges > 0"), {"charges": {"age": 1, "bmi": 1}},
        ("sex", "smoker", "age", "bmi"),
    ),
    "diabetes_pima": Case(
        "class", (), {"class": {"plas": 1, "mass": 1, "age": 1}}, ("age", "class"),
    ),
    "german_credit": Case("class", (), {"credit_amount": {"duration": 1}}, ("class", "age")),
    "penguins": Case(
        "species", ("bill_length_mm > bill_depth_mm",),
        {"body_mass_g": {"flipper_length_mm": 1}}, ("species", "sex"),
    ),
}  # fmt: skip


SMALL = ("heart_cleveland", "insurance", "diabetes_pima", "german_credit", "penguins")


@dataclass(frozen=True)
class Draw:
    """Rows to learn from, rows that judge, rows that margins come from, and fresh ones."""

    train: ts.Table
    held: ts.Table
    others: ts.Table
    fresh: ts.Table


@lru_cache(maxsize=2)
def table_of(name: str) -> ts.Table:
    """Return a whole table; of Intrusion its distinct rows."""
    frame = pq.read_table(DATA / f"{name}.parquet").drop_columns(DROPPED.get(name, []))
    if name == "intrusion":
        frame = frame.group_by(frame.column_names, use_threads=False).aggregate([])
    table = ts.Table.from_frame(frame)
    return table.select(table.schema.modelled)


@lru_cache(maxsize=2)
def draw_of(name: str, n: int, draw: int) -> Draw:
    """Return the rows of a draw; fewer rows are among the more."""
    table = table_of(name)
    order = np.random.default_rng([SEED, draw]).permutation(len(table))
    most = max(SIZES) if len(table) > 2 * max(SIZES) + JUDGED else len(table) // 2
    rest = order[most:]
    judging = rest[: min(JUDGED, len(rest) * 2 // 3)]
    fresh = rest[len(judging) : len(judging) + n]
    parts = order[: min(n, most)], judging, order[most:], fresh
    return Draw(*(table.take(np.sort(part)) for part in parts))


def census(case: Case, others: ts.Table, off: float = 0.0) -> dict[Any, Any]:
    """Return the margins of other rows; ``off`` moves the first level's share, or the mean."""
    known: dict[Any, Any] = {}
    for name in case.margins:
        column = others.schema[name]
        if column.kind in NUMERIC:
            x = others.numbers(name)
            mean, sd = float(np.nanmean(x)), float(np.nanstd(x))
            known[name] = {"mean": mean + 3 * off * sd}
            if abs(skew(x, nan_policy="omit")) < HEAVY:  # few rows have no tail to match a sd by
                known[name]["sd"] = sd
            continue
        codes = others.codes(name)
        counts = np.bincount(codes[codes >= 0], minlength=len(column.categories))
        shares = counts / counts.sum()
        first, second = np.argsort(-shares)[:2]
        moved = min(off, shares[first])
        shares[first], shares[second] = shares[first] - moved, shares[second] + moved
        known[name] = {column.categories[k]: float(shares[k]) for k in (first, second)}
    return known


def plain(rows: Draw, case: Case, draw: int, **more: Any) -> tuple[ts.SequentialTrees, str]:
    """Return trees that were told nothing, nor look for equations, and what they say."""
    encoder = TableEncoder(identities=False).fit(rows.train)
    return _fitted(ts.SequentialTrees(random_state=draw, **more), rows.train, encoder)


def _fitted(
    model: ts.SequentialTrees, train: ts.Table, encoder: TableEncoder | None = None
) -> tuple[ts.SequentialTrees, str]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.fit(train, encoder=encoder)
    doubts = [str(w.message) for w in said if issubclass(w.category, ts.KnowledgeWarning)]
    return model, f"{len(doubts)} doubts" if doubts else ""


def ruled(rows: Draw, case: Case, draw: int) -> tuple[ts.SequentialTrees, str]:
    """Return trees that keep the equations found and the rules declared."""
    declared = ts.Table.from_frame(rows.train, rules=case.rules)
    return _fitted(ts.SequentialTrees(random_state=draw), declared)


def flipped(case: Case) -> dict[str, dict[str, int]]:
    """Return the directions with the first sign wrong."""
    wrong = {name: dict(others) for name, others in case.directions.items()}
    name = next(iter(wrong))
    other = next(iter(wrong[name]))
    wrong[name][other] *= -1
    return wrong


Arm = Callable[[Draw, Case, int], tuple[ts.SequentialTrees, str]]
ARMS: dict[str, tuple[Arm, str | None]] = {  # how it learns, and what margins it is told
    "nothing": (plain, None),
    "equations found": (lambda r, c, d: _fitted(ts.SequentialTrees(random_state=d), r.train), None),
    "rules": (ruled, None),
    "margins": (plain, "right"),
    "directions": (lambda r, c, d: plain(r, c, d, monotone=c.directions), None),
    "all three": (
        lambda r, c, d: _fitted(
            ts.SequentialTrees(random_state=d, monotone=c.directions),
            ts.Table.from_frame(r.train, rules=c.rules),
        ),
        "right",
    ),
    "wrong margins": (plain, "wrong"),
    "a wrong direction": (lambda r, c, d: plain(r, c, d, monotone=flipped(c)), None),
}


def usable(name: str, arm: str) -> bool:
    """Return whether a table has the knowledge of an arm."""
    case = CASES[name]
    return bool(case.directions) or "direction" not in arm


@lru_cache(maxsize=2)
def figures(name: str, n: int, arm: str, draw: int) -> Row:
    """Return JS, usefulness, closeness and margins of an arm."""
    case, rows = CASES[name], draw_of(name, n, draw)
    learn, told = ARMS[arm]
    known = None if told is None else census(case, rows.others, OFF if told == "wrong" else 0.0)
    m = min(JUDGED, len(rows.held))
    try:
        model, said = learn(rows, case, draw)
        made = model.encoder_.construction_
        if arm in ("equations found", "rules") and not (made.steps or made.checked):
            return figures(name, n, "nothing", draw)
        synthetic = model.draw(m, known=known, random_state=draw)
    except TabseedError as error:
        return dict.fromkeys((*MEASURES, "said"), "") | {"refused": str(error)[:120]}
    result = JUDGE.evaluate(rows.held, synthetic, random_state=draw)
    margins = ts.MarginalDistance(n_bootstrap=2).evaluate(rows.held, synthetic)
    return {
        "plain": result.js.value,
        "coarse": result.js_coarse.value,
        "margins": margins.headline.value,
        "useful": useful(synthetic, rows.held, case.target),
        "closeness": closeness(rows, synthetic),
        "said": said,
        "refused": "",
    }


def useful(train: ts.Table, held: ts.Table, target: str) -> float:
    """Return the AUC (mean over classes) or R2 of boosted trees that learned synthetic rows."""
    names = [c.name for c in held.schema if c.name != target]
    x, inputs = (np.column_stack([t.cells(n) for n in names]).astype(float) for t in (train, held))
    if held.schema[target].kind in NUMERIC:
        y, answers = train.numbers(target), held.numbers(target)
        model = HistGradientBoostingRegressor(random_state=0).fit(x[~np.isnan(y)], y[~np.isnan(y)])
        ok = ~np.isnan(answers)
        return float(r2_score(answers[ok], model.predict(inputs[ok])))
    y, answers = train.codes(target), held.codes(target)
    if len(np.unique(y)) < 2:
        return 0.5
    model = HistGradientBoostingClassifier(random_state=0).fit(x, y)
    scores = model.predict_proba(inputs)
    each = [
        roc_auc_score(answers == k, scores[:, i])
        for i, k in enumerate(model.classes_)
        if 0 < (answers == k).sum() < len(answers)
    ]
    return float(np.mean(each))


def closeness(rows: Draw, synthetic: ts.Table) -> float:
    """Return the share of drawn rows nearer to a training row than to any of as many fresh ones."""
    n = min(len(rows.train), len(rows.fresh))
    if n < 10:
        return float("nan")
    features = Features().fit(rows.train)
    train, fresh, drawn = (
        features.transform(table)
        for table in (rows.train.take(np.arange(n)), rows.fresh.take(np.arange(n)), synthetic)
    )
    near, far = (cKDTree(points).query(drawn)[0] for points in (train, fresh))
    return float(np.mean((near < far) + 0.5 * (near == far)))
