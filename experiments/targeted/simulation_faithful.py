"""Section 4.2 of arXiv 2410.00759 by its own protocol, and its reported number on other rows.

TVAE is tuned in ten trials, on the 250 hardest rows or on all 5,000. The psi of a trial is the
validation Gini with 250 added rows minus the Gini without, mean over ten draws, each with its own
seed of XGBoost on both sides. As in the paper, the validation rows stop XGBoost, choose the trial
and give the reported number. In addition: new draws of the chosen trial, which played no part in
the choice, and the same on fresh rows, which played no part in any choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.metrics import roc_auc_score

import tabseed as ts
from experiments.common.results import Results
from experiments.targeted.clusters import COLSAMPLE, SHARE, Data, Pair, PaperTVAE, boosting, data
from experiments.targeted.gini import right_side, row_error
from experiments.targeted.honest import RESULTS

TRIALS, DRAWS, AGAIN, TUNINGS = 10, 10, 30, 1
FEATURES = ("x1", "x2")
TUNED = {"latent_dim": ts.Int(16, 256), "hidden_dim": ts.Int(16, 256)}
DEFAULTS = {"latent_dim": 64, "hidden_dim": 128}
KEYS = ("colsample", "tuning", "arm", "trial")
NEW = "drawn again"  # replaces the number of the trial
DRAW = 1_000  # child stream of a trial's stream, apart from the streams of its training
Settings = dict[str, Any]
Stream = np.random.SeedSequence


class Judge:
    """One XGBoost with and without added rows: its shares of class 1 for the held-out rows."""

    def __init__(self, data: Data, colsample: float) -> None:
        self.data, self.colsample = data, colsample
        model = self._fitted(data.train, 0)
        gains = model.feature_importances_.tolist()  # mean gain of a split, as in the paper
        self.importances = dict(zip(FEATURES, gains, strict=True))
        self.none = [self._shares(data.train, seed) for seed in range(AGAIN)]

    def gains(
        self, learned_by: ts.Table, settings: Settings, draws: range, stream: Stream
    ) -> list[Gain]:
        """Train TVAE, add each draw; return the gains on validation rows and on fresh rows."""
        learner = PaperTVAE(**settings, importances=self.importances, random_state=stream)
        learner.fit(learned_by, target="y")
        x, y = self.data.train
        shares = []
        for g, seed in zip(draws, range(len(draws)), strict=True):
            draw_stream = Stream(stream.entropy, spawn_key=(*stream.spawn_key, DRAW, g))
            synthetic = learner.sample(round(SHARE * len(y)), random_state=draw_stream)
            x_added = np.column_stack([synthetic[name].to_numpy() for name in FEATURES])
            both = np.concatenate([x, x_added]), np.concatenate([y, synthetic["y"].to_numpy()])
            shares.append(self._shares(both, seed))
        labels = self.data.validate[1], self.data.fresh[1]
        with_rows, without = zip(*shares, strict=True), zip(*self.none[: len(draws)], strict=True)
        return [Gain.of(*parts) for parts in zip(with_rows, without, labels, strict=True)]

    def _fitted(self, rows: Pair, seed: int) -> Any:
        model = boosting(self.colsample, seed)
        return model.fit(*rows, eval_set=[self.data.validate], verbose=False)

    def _shares(self, rows: Pair, seed: int) -> tuple[np.ndarray, np.ndarray]:
        model = self._fitted(rows, seed)
        held_out = self.data.validate, self.data.fresh
        validation, fresh = (model.predict_proba(x)[:, 1] for x, _ in held_out)
        return validation, fresh


@dataclass(frozen=True)
class Gain:
    """Gains of draws (draws,), and the standard error of their mean over the held-out rows."""

    draws: np.ndarray
    row_error: float

    @classmethod
    def of(cls, added: Sequence[np.ndarray], none: Sequence[np.ndarray], y: np.ndarray) -> Gain:
        """Return the gains from the shares that pairs of models give to rows with labels y."""
        draws = [
            2 * (roc_auc_score(y, a) - roc_auc_score(y, n))
            for a, n in zip(added, none, strict=True)
        ]
        sides = [right_side(a, y) - right_side(n, y) for a, n in zip(added, none, strict=True)]
        return cls(np.array(draws), row_error(np.mean(sides, axis=0), y))


def _table(rows: Pair) -> ts.Table:
    columns = {**dict(zip(FEATURES, rows[0].T, strict=True)), "y": rows[1]}
    return ts.Table.from_frame(pa.table(columns), kinds={"y": "categorical"})


def hardest(data: Data) -> Pair:
    """Return the hardest 5 % of the training rows by 5NN Shapley."""
    hardness = ts.KNNShapley(n_neighbors=5).fit_score(*data.train, reference=data.value)
    index = np.argsort(-hardness, kind="stable")[: round(SHARE * len(hardness))]
    return data.train[0][index], data.train[1][index]


def tune(
    judge: Judge, learned_by: ts.Table, tuning: int, key: dict[str, str], results: Results
) -> None:
    """Run ten trials and draw the best again; skip the results that the file has."""
    streams: list[Stream] = []

    def measured(trial: str, settings: Settings, draws: range, stream: Stream) -> list[float]:
        line_key = {**key, "trial": trial}
        if not results.has(**line_key):
            line = {**line_key, **settings}
            gains = judge.gains(learned_by, settings, draws, stream)
            for part, gain in zip(("validation", "fresh"), gains, strict=True):
                line[part] = f"{gain.draws.mean():.6f}"
                line[f"{part} error"] = f"{gain.row_error:.6f}" if trial == NEW else ""
                # all digits, because the tuner continues from these values
                line[f"{part} draws"] = " ".join(map(repr, gain.draws.tolist()))
            results.add(line)
        line = next(r for r in results.rows if all(r[k] == v for k, v in line_key.items()))
        return [float(word) for word in line["validation draws"].split()]

    def objective(_: str, settings: Settings, stream: Stream) -> list[float]:
        streams.append(stream)
        return measured(str(len(streams)), settings, range(DRAWS), stream)

    tuner = ts.Tuner(
        {"tvae": TUNED},
        defaults={"tvae": DEFAULTS},
        selector="ucb1-raw",
        proposer="greedy",
        random_state=tuning,
    )
    trials = tuner.run(objective, trials=TRIALS).trials
    best = max(trials, key=lambda trial: trial.value)  # as in the paper: by its draws
    new_draws = range(DRAWS, DRAWS + AGAIN)
    measured(NEW, best.settings, new_draws, streams[best.number])


def run() -> None:
    """Run the missing tunings, TUNINGS for each arm."""
    results, all_data = Results(RESULTS / "simulation_faithful.csv", KEYS), data()
    tables = {"hard": _table(hardest(all_data)), "full": _table(all_data.train)}
    judges = {colsample: Judge(all_data, colsample) for colsample in COLSAMPLE}
    for tuning in range(TUNINGS):
        for colsample, judge in judges.items():
            for arm, table in tables.items():
                key = {"colsample": str(colsample), "tuning": str(tuning), "arm": arm}
                tune(judge, table, tuning, key, results)
