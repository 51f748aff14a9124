"""Simulated studies: does the gap vanish, is the ranking kept, when is synthetic better?

python -m experiments.utility simulation

Each study writes one CSV; a line is the mean over repetitions with its standard error, beside
the value from theory or from the independent check of the formulas.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from experiments.utility import laws

RESULTS = Path(__file__).parent / "results"
Row = dict[str, Any]
SQUARE = np.array([0.0, 0.0, 1.0])  # mu = x^2
CLASSES = {"quadratic": (0, 1, 2), "linear": (0, 1)}
SIZES = (200, 800, 3_200, 12_800)

# mean gaps of an independent check, by response, mean of Q and class; the last one is the limit
CHECKED = {
    ("oracle", 0.0, "quadratic"): (0.0041, 0.0008, 0.0002, 0.0000, 0.0),
    ("oracle", 0.5, "quadratic"): (0.0049, 0.0010, 0.0002, 0.0001, 0.0),
    ("oracle", 0.0, "linear"): (0.0615, 0.0168, 0.0047, 0.0011, 0.0),
    ("oracle", 0.5, "linear"): (1.13, 1.06, 1.04, 1.08, 1.0625),
    ("neighbours", 0.0, "quadratic"): (0.255, 0.094, 0.035, 0.013, 0.0),
    ("neighbours", 0.5, "quadratic"): (0.421, 0.191, 0.087, 0.039, 0.0),
    ("neighbours", 0.0, "linear"): (0.048, 0.015, 0.004, 0.001, 0.0),
    ("neighbours", 0.5, "linear"): (0.50, 0.62, 0.77, 0.88, 1.0625),
}
# shares of consistent rankings in the same check, by mean of Q
CHECKED_RANKS = {
    "TSTR": {0.0: 1.0, 0.5: 1.0, 1.0: 1.0, 1.4: 1.0, 1.6: 0.89, 1.7: 0.15, 2.0: 0.0},
    "TSTS": {0.0: 1.0, 0.25: 0.99, 0.5: 0.08, 1.0: 0.0, 1.4: 0.0, 1.6: 0.0, 2.0: 0.0},
}


def convergence(rng: np.random.Generator) -> Iterator[Row]:
    """Yield the gap |R(f~) - R(f^)| as n grows; mu = x^2, Q = N(m, 1), n synthetic rows."""
    for (response, mean, name), checked in CHECKED.items():
        powers = CLASSES[name]
        for n, check in zip(SIZES, checked, strict=False):
            reps = 40 if n == SIZES[-1] else 100
            x, x_synthetic = laws.draw(rng, reps, n), laws.draw(rng, reps, n, mean)
            y = laws.noisy(rng, x**2)
            if response == "oracle":
                y_synthetic = laws.noisy(rng, x_synthetic**2)
            else:
                y_synthetic = laws.neighbours(rng, x, y, x_synthetic, max(3, round(n**0.5)))
            risks = [
                laws.excess(laws.least_squares(*pair, powers), powers, SQUARE)
                for pair in ((x_synthetic, y_synthetic), (x, y))
            ]
            yield {
                "response": response,
                "mean of Q": mean,
                "class": name,
                "n": n,
                **_summary(np.abs(risks[0] - risks[1])),
                "checked": check,
                "limit": checked[-1],
            }


def ranking(rng: np.random.Generator) -> Iterator[Row]:
    """Yield rankings of constants and lines through the origin; mu = x^2, Q = N(m, 1), n = 500."""
    reps, n = 300, 500
    means = sorted({*CHECKED_RANKS["TSTR"], *CHECKED_RANKS["TSTS"], 0.3, 0.4, 0.75, 1.2, 1.65, 1.8})
    for mean in means:
        x, x_synthetic = laws.draw(rng, reps, n), laws.draw(rng, reps, n, mean)
        pairs = ((x, laws.noisy(rng, x**2)), (x_synthetic, laws.noisy(rng, x_synthetic**2)))
        (a, b), (a_synthetic, b_synthetic) = (
            (v.mean(axis=1), (u * v).sum(axis=1) / (u**2).sum(axis=1)) for u, v in pairs
        )
        # a user of synthetic rows does not know their law: 500 further rows score the pair
        x_judge = laws.draw(rng, reps, n, mean)
        y = laws.noisy(rng, x_judge**2)
        scored = ((a_synthetic[:, None] - y) ** 2 - (b_synthetic[:, None] * x_judge - y) ** 2).mean(
            axis=1
        )
        real = _constant_minus_line(a, b)
        for cell, gap in (
            ("TSTR", _constant_minus_line(a_synthetic, b_synthetic)),
            ("TSTS", scored),
        ):
            share = _summary((np.sign(gap) == np.sign(real)).astype(float))
            checked = CHECKED_RANKS[cell].get(mean, "")
            yield {"cell": cell, "mean of Q": mean, **share, "checked": checked}


def _constant_minus_line(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the real risk of the constant a minus that of the line b x; mu = x^2, N(0, 1)."""
    return (a**2 - 2 * a) - b**2


def classification(rng: np.random.Generator) -> Iterator[Row]:
    """Yield gaps of thresholds: a wrong boundary, shift with a wrong class, flipped labels."""
    reps, n = 100, 5_000
    x = laws.draw(rng, reps, n)
    for flips, boundary in ((0.1, 0.5), (0.0, 0.5), (0.1, -1.0)):
        pair = [_flipped(rng, x > cut, flips) for cut in (0.0, boundary)]
        real, synthetic = (laws.step_risk(laws.best_threshold(x, y), flips) for y in pair)
        theory = (1 - 2 * flips) * (norm.cdf(abs(boundary)) - 0.5)
        setting = f"boundary at {boundary:g}, {flips:.0%} flipped"
        yield {
            "study": "wrong boundary",
            "setting": setting,
            **_summary(synthetic - real),
            "theory": theory,
        }
    real = laws.band_risk(laws.best_threshold(x, (np.abs(x) > 1).astype(float)))
    for mean in (-2.0, -1.5, -1.2, -1.0, -0.9, -0.5, 0.0, 0.5, 1.0):
        x_synthetic = laws.draw(rng, reps, n, mean)
        synthetic = laws.band_risk(
            laws.best_threshold(x_synthetic, (np.abs(x_synthetic) > 1).astype(float))
        )
        theory = 0.0 if mean > -0.9693431 else norm.cdf(1) - 2 * norm.cdf(-1)
        yield {
            "study": "shifted band",
            "setting": f"m = {mean:g}",
            **_summary(synthetic - real),
            "theory": theory,
        }
    eta = norm.cdf(1.5 * x)
    rules = x > 0.2, x > 0.8
    for flips in (0.0, 0.2, 0.4):
        y = _flipped(rng, rng.random(x.shape) < eta, flips)
        gap = np.mean((rules[1] != y), axis=1) - np.mean((rules[0] != y), axis=1)
        theory = (1 - 2 * flips) * 0.1086
        yield {
            "study": "flipped labels, gap of two rules",
            "setting": f"{flips:.0%} flipped",
            **_summary(gap),
            "theory": theory,
        }


def _flipped(rng: np.random.Generator, y: np.ndarray, share: float) -> np.ndarray:
    return (y ^ (rng.random(y.shape) < share)).astype(float)


def better(rng: np.random.Generator) -> Iterator[Row]:
    """When is synthetic better than real? Lines through the origin, mu = x, Q = N(0, s^2)."""
    reps, n = 2_000, 100
    x = laws.draw(rng, reps, n)
    y = laws.noisy(rng, x)
    slope = (x * y).sum(axis=1) / (x**2).sum(axis=1)
    for ratio in (1, 10):
        m = ratio * n
        for spread in (0.5, 1.0, 2.0):
            x_synthetic = laws.draw(rng, reps, m, 0.0, spread)
            residual = y - slope[:, None] * x
            indices = rng.integers(0, n, (reps, m))
            responses = {
                "oracle": laws.noisy(rng, x_synthetic),
                "line learned from the real rows": slope[:, None] * x_synthetic
                + np.take_along_axis(residual, indices, axis=1),
                "neighbours learned from the real rows": laws.neighbours(
                    rng, x[:200], y[:200], x_synthetic[:200], max(3, round(n**0.5))
                ),
            }
            for response, values in responses.items():
                x_used = x_synthetic[: len(values)]
                synthetic_slope = (x_used * values).sum(axis=1) / (x_used**2).sum(axis=1)
                gap = (synthetic_slope - 1) ** 2 - (slope[: len(values)] - 1) ** 2
                noise = laws.SIGMA**2
                theory = noise / (spread**2 * (m - 2)) - noise / (n - 2)
                yield {
                    "response": response,
                    "sd of Q": spread,
                    "rows": m,
                    **_summary(gap),
                    "theory": theory if response == "oracle" else "",
                }


def dimension(rng: np.random.Generator) -> Iterator[Row]:
    """How fast does the gap fall in p dimensions? Uniform features of variance 1, correct class.

    mu = sum of x_j^2 / sqrt(0.8 p), whose variance is 1. Neighbours take k = n^(4/(4 + p))/2, the
    order that balances their bias (k/n)^(2/p) and variance 1/k; a correct class averages the
    variance away, and the remaining bias makes the gap: of order (k/n)^(4/p) = n^(-4/(4 + p)).
    """
    edge = 3**0.5
    for p in (1, 2, 4, 8):
        for n in (200, 800, 3_200, 12_800):
            reps = 40 if n < 3_200 else 15
            x, x_synthetic = (rng.uniform(-edge, edge, (reps, n, p)) for _ in range(2))
            y, y_true_law = (
                laws.noisy(rng, (v**2).sum(axis=2) / (0.8 * p) ** 0.5) for v in (x, x_synthetic)
            )
            real = _additive_excess(x, y)
            k = max(3, round(n ** (4 / (4 + p)) / 2))
            y_neighbours = laws.neighbours(rng, x, y, x_synthetic, k)
            for response, values in (("oracle", y_true_law), ("neighbours", y_neighbours)):
                gap = np.abs(_additive_excess(x_synthetic, values) - real)
                yield {"p": p, "n": n, "response": response, **_summary(gap)}


def _additive_excess(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fit y by 1, x_j and x_j^2; return E (f - mu)^2 under the uniform law, (r,)."""
    reps, n, p = x.shape
    design = np.concatenate([np.ones((reps, n, 1)), x, x**2], axis=2)
    transposed = np.swapaxes(design, 1, 2)
    coefficients = np.linalg.solve(transposed @ design, transposed @ y[..., None])[..., 0]
    difference = coefficients[:, 1 + p :] - 1 / (0.8 * p) ** 0.5
    centre = coefficients[:, 0] + difference.sum(axis=1)  # E x^2 = 1, Var x^2 = 0.8
    return (
        centre**2
        + (coefficients[:, 1 : 1 + p] ** 2).sum(axis=1)
        + 0.8 * (difference**2).sum(axis=1)
    )


def trade_off(rng: np.random.Generator) -> Iterator[Row]:
    """Misspecification against shift: mu = x + c x^2, lines, Q = N(m, 1); limit and n = 300."""
    reps, n = 60, 300
    for bend in np.linspace(0, 1, 6):
        for mean in np.linspace(0, 1.25, 6):
            x, x_synthetic = laws.draw(rng, reps, n), laws.draw(rng, reps, n, mean)
            y = laws.noisy(rng, x + bend * x**2)
            y_synthetic = laws.neighbours(rng, x, y, x_synthetic, max(3, round(n**0.5)))
            truth = np.array([0.0, 1.0, bend])
            gap = np.abs(
                laws.excess(laws.least_squares(x_synthetic, y_synthetic, (0, 1)), (0, 1), truth)
                - laws.excess(laws.least_squares(x, y, (0, 1)), (0, 1), truth)
            )
            limit = bend**2 * (mean**4 + 4 * mean**2)  # (1 + m^2 - s^2)^2 + 4 m^2 at s = 1
            yield {"c": float(bend), "mean of Q": float(mean), **_summary(gap), "limit": limit}


def _summary(values: np.ndarray) -> Row:
    return {
        "mean": values.mean(),
        "se": values.std(ddof=1) / len(values) ** 0.5,
        "repetitions": len(values),
    }


STUDIES: dict[str, Callable[[np.random.Generator], Iterator[Row]]] = {
    "convergence": convergence,
    "ranking": ranking,
    "classification": classification,
    "better": better,
    "dimension": dimension,
    "trade_off": trade_off,
}


def run(names: list[str]) -> None:
    """Run studies by name, all if none is named; write the file of a study when it ends."""
    for number, (name, study) in enumerate(STUDIES.items()):
        if names and name not in names:
            continue
        rows = list(study(np.random.default_rng((2305, number))))
        path = RESULTS / f"{name}.csv"
        with path.with_suffix(".part").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            for row in rows:
                writer.writerow(
                    {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()}
                )
        path.with_suffix(".part").replace(path)
        print(name, len(rows), "lines")
