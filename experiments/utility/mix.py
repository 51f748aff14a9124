"""Does a tuned mix of real and synthetic rows ever harm, and does it ever help?

    python -m experiments.utility.mix [--draws 3] [--models boosting linear] [table ...]

N rows of each table train, up to 2,000 others judge. :func:`tabseed.tune_mix` chooses weight and
amount from the training rows only; on the held-out rows, a model trained on that mix is compared
with a model trained on the real rows alone, row by row. A line of ``results/mix.csv`` is one table,
N, draw and model: errors are squared errors, or Brier scores summed over classes, means of three
draws and seeds; ``se`` is the standard error of the gain over held-out rows; ``cv_gain`` with
``cv_low`` and ``cv_high`` is the gain that tune_mix predicted. Resumable; prints a summary at the
end.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

import tabseed as ts
from experiments.common.data import DATA
from experiments.common.results import Results, Row
from tabseed.metrics.models import output, train, zoo
from tabseed.metrics.problem import Problem, points, squared_loss
from tabseed.utility.mix import Mixing

RESULTS = Path(__file__).parent / "results"
TARGETS = {
    "heart_cleveland": ("num", "binary"),
    "diabetes_pima": ("class", None),
    "german_credit": ("class", None),
    "insurance": ("charges", None),
    "king": ("price", None),
    "adult": ("income", None),
}
LEFT_OUT = {"king": ("id",)}
SIZES = (100, 300)
HELD_OUT, FEWEST = 2_000, 150
FITS = 3
KEYS = ("table", "n", "draw", "model")
WEIGHTS, AMOUNTS = (0.25, 1.0), (1.0, 5.0)


def population(name: str) -> ts.Table:
    """Return all rows of a table; a graded outcome becomes present or absent."""
    target, kind = TARGETS[name]
    arrow = pq.read_table(DATA / f"{name}.parquet").drop_columns(list(LEFT_OUT.get(name, ())))
    if kind == "binary":
        present = np.where(arrow[target].to_numpy() > 0, "present", "absent")
        arrow = arrow.set_column(arrow.column_names.index(target), target, [present])
    return ts.Table.from_frame(arrow)


def measured(name: str, n: int, draw: int, kind: str) -> Row | None:
    """Return one line, or None if too few rows are left to judge with."""
    target, rows = TARGETS[name][0], population(name)
    if len(rows) < n + FEWEST:
        return None
    order = np.random.default_rng([2305, draw, n]).permutation(len(rows))
    learn, judge = rows.take(order[:n]), rows.take(order[n : n + HELD_OUT])
    problem = Problem.of(learn, target)
    model = zoo(problem.task, 4 * n // 5)[kind]
    mix = ts.tune_mix(
        learn,
        ts.SequentialTrees(),
        target,
        model=model,
        weights=WEIGHTS,
        amounts=AMOUNTS,
        settings=Mixing(repeats=2),
        random_state=draw,
    )
    real, held_out = problem.rows(learn, "train"), problem.rows(judge, "holdout")
    losses = np.zeros((2, len(held_out)))
    for fit in range(FITS):
        frame, weight = mix.training_rows(random_state=fit)
        stream = np.random.SeedSequence([draw, fit])
        mixed = problem.rows(frame, "mix")
        x_real, x, x_held_out = points(real, mixed, held_out)
        for arm, (features, y, w) in enumerate(((x_real, real.y, None), (x, mixed.y, weight))):
            prediction = output(train(model, features, y, problem, stream, w), x_held_out, problem)
            losses[arm] += squared_loss(problem, held_out.y, prediction) / FITS
    gain = losses[0] - losses[1]
    baseline = squared_loss(problem, held_out.y, _constant(problem, real.y, len(held_out))).mean()
    return {
        "table": name,
        "n": n,
        "draw": draw,
        "model": kind,
        "held_out": len(held_out),
        "weight": mix.weight,
        "amount": mix.amount,
        # as shares of the error of predicting the training mean: comparable between tables
        "error_real": float(losses[0].mean() / baseline),
        "error_mix": float(losses[1].mean() / baseline),
        "gain": float(gain.mean() / baseline),
        "se": float(gain.std(ddof=1) / np.sqrt(len(gain)) / baseline),
        "cv_gain": mix.gain.value / baseline,
        "cv_low": mix.gain.low / baseline,
        "cv_high": mix.gain.high / baseline,
    }


def _constant(problem: Problem, y: np.ndarray, n: int) -> np.ndarray:
    """Return n predictions of the training rows' mean, or of their class shares."""
    if problem.task == "regression":
        return np.full(n, y.mean())
    share = np.bincount(y, minlength=len(problem.classes)) / len(y)
    return np.tile(share, (n, 1))


def gain_error(rows: list[dict[str, str]]) -> float:
    """Return the standard error over draws, if several, and at least that of held-out rows."""
    gains, se = (np.array([float(row[key]) for row in rows]) for key in ("gain", "se"))
    error = float(np.sqrt((se**2).mean() / len(rows)))
    return max(error, float(gains.std(ddof=1) / len(gains) ** 0.5)) if len(gains) > 1 else error


def summary(results: Results) -> None:
    """Print the mean gain over draws of each cell, and the cells that the mix harms or helps."""
    cells: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in results.rows:
        cells.setdefault((row["table"], row["n"], row["model"]), []).append(row)
    harmed, helped = [], []
    for cell, rows in cells.items():
        gains = np.array([float(row["gain"]) for row in rows])
        error = gain_error(rows)
        mixes = ", ".join(f"{r['weight']}x{r['amount']}" for r in rows)
        print(*cell, f"gain {gains.mean():+.4f} +- {error:.4f} ({mixes})")
        harmed += [cell] * bool(gains.mean() < -error)
        helped += [cell] * bool(gains.mean() > 2 * error)
    print(f"{len(cells)} cells; worse by more than one standard error: {harmed or 'none'}")
    print(f"better by more than two: {helped or 'none'}")


def main() -> None:
    """Run what is missing; every cell gets its first draw before any gets its second."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", default=list(TARGETS))
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=["boosting", "linear"])
    arguments = parser.parse_args()
    results = Results(RESULTS / "mix.csv", KEYS)
    for draw in range(arguments.draws):
        for kind in arguments.models:
            for n in SIZES:
                for name in arguments.tables:
                    if results.has(table=name, n=n, draw=draw, model=kind):
                        continue
                    row = measured(name, n, draw, kind)
                    if row is not None:
                        results.add(row)
    summary(results)


if __name__ == "__main__":
    main()
