"""Learn the chances of a gain from the bank, and how well they foretell tables left out."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from experiments.common.markdown import fill, table
from experiments.common.results import read

WORTH = 0.01  # of AUC or R2: what a gain must be to count
PENALTY = 0.3  # C of the logistic model
FEATURES = (
    "rows (log10)", "columns (log10)", "categorical", "rarest class (log10)", "numbers", "score",
    "gain of twice the rows",
)  # fmt: skip
RECIPES = (
    "as many rows of trees", "four times as many rows of trees",
    "four times as many, response chosen",
)  # fmt: skip
HERE = Path(__file__).parent
PACKAGED = HERE.parents[1] / "src" / "tabseed" / "advice" / "bank.json"
BINS = (0.0, 0.1, 0.2, 0.35, 0.5, 1.0)


def learn(results: Path) -> None:
    """Write the packaged bank and the README.

    A recipe whose model foretells left out tables no better than the share of gains has that share
    as its chance everywhere.
    """
    rows = [r for r in read(results) if not r["why"] and "nan" not in r.values()]
    x = np.array([[float(r[name]) for name in FEATURES] for r in rows])
    names = np.array([r["name"] for r in rows])
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    models, lines, calibration = {}, [], []
    for recipe in RECIPES:
        gains = np.array([float(r[recipe]) for r in rows])
        y = gains >= WORTH
        told = left_out((x - mean) / scale, y, names)
        model = fitted((x - mean) / scale, y)
        models[recipe] = [float(model.intercept_[0]), *map(float, model.coef_[0])]
        if brier(told, y) >= brier(share_of_others(y, names), y):  # it foretells nothing
            models[recipe] = [float(logit(y.mean())), *([0.0] * len(FEATURES))]
        lines.append(measures(recipe, gains, y, told, names))
        calibration += [[recipe, *line] for line in calibrated(y, told)]
    entry = {
        "worth": WORTH, "tables": len(set(names)), "cases": len(rows), "names": list(FEATURES),
        "mean": mean.tolist(), "scale": scale.tolist(), "low": x.min(axis=0).tolist(),
        "high": x.max(axis=0).tolist(), "models": models,
    }  # fmt: skip
    PACKAGED.write_text(json.dumps(entry, indent=1) + "\n")
    head = ["recipe", "median gain", f"gain of {WORTH} or more", "AUC of the chance", "Brier score",
            "of the share alone"]  # fmt: skip
    told = ["recipe", "chance told", "cases", "gained"]
    fill(
        HERE / "README.md", {"OUTCOME": table(head, lines), "CALIBRATION": table(told, calibration)}
    )


def fitted(x: np.ndarray, y: np.ndarray) -> LogisticRegression:
    """Return a logistic model of a gain."""
    return LogisticRegression(C=PENALTY, max_iter=1_000).fit(x, y)


def left_out(x: np.ndarray, y: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Return the chance of each case by a model that learned all other tables."""
    told = np.empty(len(y))
    for name in set(names.tolist()):
        own = names == name
        some = y[~own]
        told[own] = fitted(x[~own], some).predict_proba(x[own])[:, 1] if some.any() else some.mean()
    return told


def share_of_others(y: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Return for each case the share of gains on all other tables."""
    return np.array([y[names != name].mean() for name in names])


def brier(told: np.ndarray, y: np.ndarray) -> float:
    """Return the mean squared error of chances."""
    return float(np.mean((told - y) ** 2))


def measures(
    recipe: str, gains: np.ndarray, y: np.ndarray, told: np.ndarray, names: np.ndarray
) -> list[str]:
    """Return how often the recipe gained, and how well that was foretold."""
    auc = roc_auc_score(y, told) if 0 < y.sum() < len(y) else np.nan
    return [
        recipe, f"{np.median(gains):+.3f}", f"{y.sum()} of {len(y)}", f"{auc:.2f}",
        f"{brier(told, y):.3f}", f"{brier(share_of_others(y, names), y):.3f}",
    ]  # fmt: skip


def calibrated(y: np.ndarray, told: np.ndarray) -> list[list[str]]:
    """Return by range of chances how many cases there are, and how many gained."""
    lines = []
    for low, high in pairwise(BINS):
        inside = (told >= low) & ((told < high) | (high == 1))
        if inside.any():
            lines.append([f"{low:.2f} to {high:.2f}", str(inside.sum()), f"{y[inside].mean():.0%}"])
    return lines
