"""Section 4.2 of arXiv 2410.00759 by its own protocol, and what becomes of the number it reports.

TVAE is tuned in ten trials, on the 250 hardest rows or on all 5,000. A trial's psi is the
validation Gini with 250 rows added less that without, mean over ten draws, each with its own seed
of XGBoost on both sides. The validation rows stop XGBoost, choose the trial and are reported, as
there. Beside that: draws of the chosen trial that did not choose it, and all the same on rows that
nothing was chosen by.
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
FIRST = {"latent_dim": 64, "hidden_dim": 128}
KEYS = ("colsample", "tuning", "arm", "trial")
NEW = "drawn again"  # in the place of the trial's number
DRAW = 1_000  # stream below that of a trial, apart from those of what it trains
Settings = dict[str, Any]
Stream = np.random.SeedSequence


class Judge:
    """One XGBoost with and without rows added: its shares of class 1 of the rows held out."""

    def __init__(self, data: Data, colsample: float) -> None:
        self.data, self.colsample = data, colsample
        model = self._fitted(data.train, 0)
        gains = model.feature_importances_.tolist()  # mean gain of a split, as theirs
        self.importances = dict(zip(FEATURES, gains, strict=True))
        self.none = [self._shares(data.train, seed) for seed in range(AGAIN)]

    def gains(
        self, learned_by: ts.Table, settings: Settings, draws: range, stream: Stream
    ) -> list[Gain]:
        """Let TVAE learn, add draws by their numbers: gains on validation rows and fresh ones."""
        learner = PaperTVAE(**settings, importances=self.importances, random_state=stream)
        learner.fit(learned_by, target="y")
        x, y = self.data.train
        shares = []
        for g, seed in zip(draws, range(len(draws)), strict=True):
            own = Stream(stream.entropy, spawn_key=(*stream.spawn_key, DRAW, g))
            more = learner.sample(round(SHARE * len(y)), random_state=own)
            x_more = np.column_stack([more[name].to_numpy() for name in FEATURES])
            both = np.concatenate([x, x_more]), np.concatenate([y, more["y"].to_numpy()])
            shares.append(self._shares(both, seed))
        held = self.data.validate[1], self.data.fresh[1]
        with_rows, without = zip(*shares, strict=True), zip(*self.none[: len(draws)], strict=True)
        return [Gain.of(*found) for found in zip(with_rows, without, held, strict=True)]

    def _fitted(self, rows: Pair, seed: int) -> Any:
        model = boosting(self.colsample, seed)
        return model.fit(*rows, eval_set=[self.data.validate], verbose=False)

    def _shares(self, rows: Pair, seed: int) -> tuple[np.ndarray, np.ndarray]:
        model = self._fitted(rows, seed)
        held = self.data.validate, self.data.fresh
        validation, fresh = (model.predict_proba(x)[:, 1] for x, _ in held)
        return validation, fresh


@dataclass(frozen=True)
class Gain:
    """Gains of draws (draws,), and the standard error of their mean over the rows held out."""

    draws: np.ndarray
    row_error: float

    @classmethod
    def of(cls, added: Sequence[np.ndarray], none: Sequence[np.ndarray], y: np.ndarray) -> Gain:
        """Compare the shares that pairs of models give to rows of labels y."""
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
    """The 5 % of the training rows that are hardest by 5NN Shapley."""
    hardness = ts.KNNShapley(n_neighbors=5).fit_score(*data.train, reference=data.value)
    places = np.argsort(-hardness, kind="stable")[: round(SHARE * len(hardness))]
    return data.train[0][places], data.train[1][places]


def tune(
    judge: Judge, learned_by: ts.Table, tuning: int, key: dict[str, str], results: Results
) -> None:
    """Ten trials, and the best of them drawn again; what the file has is not computed again."""
    streams: list[Stream] = []

    def measured(trial: str, settings: Settings, draws: range, stream: Stream) -> list[float]:
        place = {**key, "trial": trial}
        if not results.has(**place):
            line = {**place, **settings}
            gains = judge.gains(learned_by, settings, draws, stream)
            for rows, found in zip(("validation", "fresh"), gains, strict=True):
                line[rows] = f"{found.draws.mean():.6f}"
                line[f"{rows} error"] = f"{found.row_error:.6f}" if trial == NEW else ""
                # to the last digit: the tuner goes on from them
                line[f"{rows} draws"] = " ".join(map(repr, found.draws.tolist()))
            results.add(line)
        line = next(r for r in results.rows if all(r[k] == v for k, v in place.items()))
        return [float(word) for word in line["validation draws"].split()]

    def objective(_: str, settings: Settings, stream: Stream) -> list[float]:
        streams.append(stream)
        return measured(str(len(streams)), settings, range(DRAWS), stream)

    tuner = ts.Tuner(
        {"tvae": TUNED},
        defaults={"tvae": FIRST},
        selector="ucb1-raw",
        proposer="greedy",
        random_state=tuning,
    )
    trials = tuner.run(objective, trials=TRIALS).trials
    best = max(trials, key=lambda trial: trial.value)  # as theirs: by its draws
    again = range(DRAWS, DRAWS + AGAIN)
    measured(NEW, best.settings, again, streams[best.number])


def run() -> None:
    """Tune what was not yet, TUNINGS times."""
    results, everything = Results(RESULTS / "simulation_faithful.csv", KEYS), data()
    learned = {"hard": _table(hardest(everything)), "full": _table(everything.train)}
    judges = {colsample: Judge(everything, colsample) for colsample in COLSAMPLE}
    for tuning in range(TUNINGS):
        for colsample, judge in judges.items():
            for arm, table in learned.items():
                key = {"colsample": str(colsample), "tuning": str(tuning), "arm": arm}
                tune(judge, table, tuning, key, results)
