"""What happened on a bank of tables: the chance that synthetic rows help one that looks alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from scipy.special import expit

from tabseed.advice.look import Look


def features(seen: Look) -> dict[str, float]:
    """Return what the chance is computed from; NaN for a score that the rows do not give."""
    score = 2 * seen.score.value - 1 if seen.task == "classification" else seen.score.value
    return {
        "rows (log10)": float(np.log10(seen.n_rows)),
        "columns (log10)": float(np.log10(max(seen.n_columns, 1))),
        "categorical": seen.categorical,
        "rarest class (log10)": float(np.log10(max(seen.rarest, 1e-3))),
        "numbers": float(seen.task == "regression"),
        "score": float(np.clip(score, 0, 1)),
        "gain of twice the rows": float(np.clip(seen.doubling.value, -0.1, 0.3)),
    }


@dataclass(frozen=True)
class Bank:
    """A logistic model of "a model gains at least ``worth``", by recipe, learned on a bank.

    ``names`` (k,) of the features; ``mean``, ``scale``, ``low``, ``high`` (k,) of them in the bank;
    ``models``: by recipe the intercept and k slopes of the scaled features; slopes of 0 leave the
    share of the bank's cases that gained.
    """

    worth: float
    tables: int
    cases: int
    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray
    models: Mapping[str, np.ndarray]

    @classmethod
    def stored(cls) -> Bank:
        """Return the bank that the package brings, made by ``experiments.advise``."""
        entry = json.loads(files("tabseed.advice").joinpath("bank.json").read_text("utf-8"))
        mean, scale, low, high = (np.array(entry[k]) for k in ("mean", "scale", "low", "high"))
        return cls(
            float(entry["worth"]),
            int(entry["tables"]),
            int(entry["cases"]),
            tuple(entry["names"]),
            mean,
            scale,
            low,
            high,
            {recipe: np.array(slopes) for recipe, slopes in entry["models"].items()},
        )

    def chances(self, seen: Look) -> dict[str, float]:
        """Return by recipe the chance of a gain; features beyond the bank count as its ends."""
        own = features(seen)
        x = np.array([own[name] for name in self.names])
        x = np.where(np.isnan(x), self.mean, np.clip(x, self.low, self.high))
        scaled = (x - self.mean) / self.scale
        return {
            recipe: float(expit(slopes[0] + slopes[1:] @ scaled))
            for recipe, slopes in self.models.items()
        }

    @property
    def foretold(self) -> tuple[str, ...]:
        """The recipes of which features foretell a gain; of the others the chance is the share."""
        return tuple(recipe for recipe, slopes in self.models.items() if slopes[1:].any())

    def beyond(self, seen: Look) -> list[str]:
        """Return the features that lie beyond those of the bank."""
        own = features(seen)
        return [
            name
            for name, low, high in zip(self.names, self.low, self.high, strict=True)
            if not low <= own[name] <= high
        ]
