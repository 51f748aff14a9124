"""Predictions written by hand instead of fitted, with closed forms."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from sklearn.datasets import load_diabetes

import tabseed as ts
from tabseed.metrics.problem import Problem
from tabseed.utility.measure import (
    AUGMENTED,
    REAL,
    REPEATED,
    SAME_SIZE,
    SOURCES,
    SYNTHETIC,
    Measured,
)

# equal weights on these give all moments of N(0, 1) up to the fifth
NORMAL = np.array([0, 0, 0, 0, 3**0.5, -(3**0.5)])


def problem(n_classes: int = 0) -> Problem:
    y = np.arange(60) % n_classes if n_classes else np.linspace(0, 1, 60)
    column = pa.array(y).cast(pa.string()) if n_classes else y
    table = pa.table({"x": np.linspace(-1, 1, 60), "y": column})
    return Problem.of(ts.Table.from_frame(table), "y")


def one_hot(number: np.ndarray, n_classes: int = 2) -> np.ndarray:
    return np.eye(n_classes)[number.astype(int)]


def by_hand(
    posed: Problem,
    y: np.ndarray,
    real: np.ndarray,
    synthetic: np.ndarray,
    aside: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
    mean: tuple[np.ndarray, np.ndarray] | None = None,
) -> Measured:
    """Return the predictions f^ and f~ (K, h[, C]) of models as measured with one draw and seed.

    ``aside`` are labels, f^ and f~ (K, k[, C]) of the synthetic rows; ``mean`` the synthetic mean
    response of real rows and of those.
    """
    f, g = real[:, None, None], synthetic[:, None, None]
    none = np.empty(0)
    labels, f_aside, g_aside = aside or (none, none[None], none[None])
    on_real, on_aside = mean or (none, none)
    return Measured(
        posed,
        tuple(f"model {k}" for k in range(len(real))),
        y,
        [labels],
        y,
        {REAL: f, REPEATED: f, SYNTHETIC: g, SAME_SIZE: g, AUGMENTED: g},
        {REAL: [f_aside[:, None]], SYNTHETIC: [g_aside[:, None]]},
        on_real[None],
        [on_aside],
        True,
        dict.fromkeys(SOURCES, len(y)),
    )


def line(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Least-squares coefficients of 1 and x."""
    return np.linalg.lstsq(np.column_stack([np.ones_like(x), x]), y, rcond=None)[0]


# --- closed forms -------------------------------------------------------------------------------


def path_b(x: np.ndarray, noise: np.ndarray, z: np.ndarray, noise_z: np.ndarray) -> Measured:
    """V10: mu = x^2, mu~ = .8 x^2, lines: f~ = .8 (.75 + x), f^ = 1."""

    def synthetic(v: np.ndarray) -> np.ndarray:
        return 0.8 * (0.75 + v)

    return by_hand(
        problem(),
        x**2 + noise,
        np.ones((1, len(x))),
        synthetic(x)[None],
        (0.8 * z**2 + noise_z, np.ones((1, len(z))), synthetic(z)[None]),
        (0.8 * x**2, 0.8 * z**2),
    )


PATH_B = {"response": 0.16, "feature": 1.28, "estimation": -0.64, "direct": 0.8, "total": 0.8}


# --- end to end ---------------------------------------------------------------------------------


def diabetes() -> tuple[pa.Table, pa.Table]:
    """442 patients (scikit-learn's own copy): 242 to train on, 200 held out."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    names = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
    order = np.random.default_rng(0).permutation(len(y))
    table = pa.table({**dict(zip(names, x[order].T, strict=True)), "progression": y[order]})
    return table[:242], table[242:]
