"""Do the bandit and the Gaussian process find the better family and the optimum before chance does?

``OMP_NUM_THREADS=1 python -m benchmarks.tuner`` (about 20 minutes) writes ``results/tuner.csv``.

Families: the rewards of one family are higher by ``gap`` standard deviations of the noise, at a
scale of 1e-4, like gains from augmentation; the figure is its share of 40 trials, mean of 100
simulations. "told": raw UCB1 on rewards in units of the true noise, which is unknown in practice.

Settings: Branin and Hartmann-6, negated so that larger is better. The range is the distance from
the mean over uniform points to the optimum. The noise of a draw has a standard deviation of 5 % of
the range; three draws per trial. The optimum is reached when the noise-free value at ``Study.best``
is within 5 % of the range from it. The figure is the number of trials until then, median of 20
seeds. Random search knows which of its trials is truly best, so its median is a lower bound.
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tabseed as ts
from experiments.common.machine import system
from tabseed.tune import Trial
from tabseed.tune.bandit import select

RESULTS = Path(__file__).parent / "results" / "tuner.csv"
TRIALS, SIMULATIONS, SCALE = 40, 100, 1e-4
SEEDS, DRAWS, NOISE, WITHIN, MOST, RANDOM = 20, 3, 0.05, 0.05, 200, 300_000
FIELDS = ["part", "case", "rule", "figure", "value", "low", "high", "bar", "met", "seconds"]

ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
A = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def branin(x: np.ndarray) -> np.ndarray:
    a, b = x[:, 0], x[:, 1]
    bent = b - 5.1 / (4 * np.pi**2) * a**2 + 5 / np.pi * a - 6
    return -(bent**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10)


def hartmann(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.sum(A * (x[:, None] - P) ** 2, axis=2)) @ ALPHA


@dataclass(frozen=True)
class Case:
    law: Callable[[np.ndarray], np.ndarray]
    space: dict[str, Any]
    top: float

    def at(self, settings: dict[str, Any]) -> float:
        return float(self.law(np.array([list(settings.values())]))[0])

    def uniform(self, n: int, seed: list[int]) -> np.ndarray:
        low = np.array([d.low for d in self.space.values()])
        high = np.array([d.high for d in self.space.values()])
        u = np.random.default_rng(seed).random((n, len(self.space)))
        return self.law(low + u * (high - low))

    @property
    def range(self) -> float:
        return self.top - float(self.uniform(100_000, [0]).mean())


CASES = {
    "Branin": Case(branin, {"x": ts.Float(-5.0, 10.0), "y": ts.Float(0.0, 15.0)}, -0.397887),
    "Hartmann-6": Case(hartmann, {f"x{k}": ts.Float(0.0, 1.0) for k in range(6)}, 3.32237),
}


def share(rule: str, families: int, gap: float, scale: float) -> tuple[float, float]:
    """Return the mean share of the better family, and its standard error."""
    counts = []
    for seed in range(SIMULATIONS):
        rng = np.random.default_rng([6, seed])
        values: list[list[float]] = [[] for _ in range(families)]
        for _ in range(TRIALS):
            rewards = [np.array(v) for v in values]
            index = select(rule, rewards, np.zeros(families, dtype=int), rng)
            values[index].append(scale * (gap * (index == 0) + rng.normal()))
        counts.append(len(values[0]) / TRIALS)
    return float(np.mean(counts)), float(np.std(counts, ddof=1) / np.sqrt(SIMULATIONS))


def bandit() -> Iterator[dict[str, Any]]:
    for families in (2, 3, 4, 8):
        for gap in (1.0, 0.0):
            for rule, scale in (("ucb1", SCALE), ("ucb1-raw", SCALE), ("told", 1.0)):
                began = time.perf_counter()
                mean, error = share(rule if rule != "told" else "ucb1-raw", families, gap, scale)
                row = {
                    "part": "families",
                    "case": f"{families} families, gap {gap:g}",
                    "rule": rule,
                    "figure": "share of the first",
                    "value": f"{mean:.3f}",
                    "low": f"{mean - 1.96 * error:.3f}",
                    "high": f"{mean + 1.96 * error:.3f}",
                    "seconds": f"{time.perf_counter() - began:.1f}",
                }
                if (families, gap, rule) == (2, 1.0, "ucb1"):
                    row |= {"bar": "> 0.7", "met": mean > 0.7}
                yield row


def reached(case: Case, proposer: str, seed: int, unit: float) -> float:
    """Return the trials until ``Study.best`` is good enough; infinite beyond MOST."""

    def objective(family: str, settings: dict, stream: np.random.SeedSequence) -> list[float]:
        noise = np.random.default_rng(stream).normal(size=DRAWS)
        return (case.at(settings) + NOISE * unit * noise).tolist()

    def good(trial: Trial) -> bool:
        return case.top - case.at(trial.settings) <= WITHIN * unit

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.sqlite"
        tuner = ts.Tuner({"f": case.space}, proposer=proposer, storage=path, random_state=seed)
        for n in range(1, MOST + 1):
            study = tuner.run(objective, trials=n)
            if any(map(good, study.trials)) and good(study.best):
                return n
    return float("inf")


def chance(case: Case, seed: int, unit: float) -> float:
    """Return the trials until random search draws a good point; infinite beyond RANDOM."""
    good = case.top - case.uniform(RANDOM, [1, seed]) <= WITHIN * unit
    return float(np.argmax(good) + 1) if good.any() else float("inf")


def settings() -> Iterator[dict[str, Any]]:
    random: dict[str, float] = {}
    for rule in ("random", "ei", "greedy"):
        for name, case in CASES.items():
            began, unit = time.perf_counter(), case.range
            trials = np.sort(
                [
                    chance(case, seed, unit)
                    if rule == "random"
                    else reached(case, rule, seed, unit)
                    for seed in range(SEEDS)
                ]
            )
            median = float(np.median(trials))
            random.setdefault(name, median)
            row = {
                "part": "settings",
                "case": name,
                "rule": rule,
                "figure": "median trials to 95 %",
                "value": median,
                "low": trials[5],  # order statistics: a 96 % interval of the median
                "high": trials[14],
                "seconds": f"{time.perf_counter() - began:.0f}",
            }
            if rule == "ei":
                row |= {"bar": f"< {random[name]:g}", "met": median < random[name]}
            yield row


def main() -> None:
    with RESULTS.open("w", newline="") as file:
        file.write(f"# {system()}, NumPy {np.__version__}, one thread\n")
        writer = csv.DictWriter(file, FIELDS, restval="")
        writer.writeheader()
        for part in (bandit(), settings()):
            for row in part:
                writer.writerow(row)
                file.flush()
                print(*row.values(), flush=True)


if __name__ == "__main__":
    main()
