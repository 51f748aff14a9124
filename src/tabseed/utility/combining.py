"""Combining rules: one estimate and its variance from several synthetic tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.stats import t as student

from tabseed.errors import TabseedError
from tabseed.parameters import OneOf, Real, Whole, as_numbers, checked

Rule = Literal["rrr", "simple", "proper", "incomplete"]
RULES: dict[Rule, str] = {
    "rrr": "Raghunathan, Reiter and Rubin: tables from posterior draws of the law",
    "simple": "tables from one fitted law, whose parameters are not drawn",
    "proper": "tables from laws whose parameters are drawn anew for each",
    "incomplete": "real rows, only some of whose cells are synthetic",
}
TOO_SHORT = (
    "these rules hold for correctly specified parametric laws; with deep generators, intervals are "
    "too short and tests reject too often (Decruyenaere et al., UAI 2024)"
)
Pair = tuple[np.ndarray, np.ndarray]  # variance, degrees of freedom


@dataclass(frozen=True)
class Combined:
    """An estimate from m synthetic tables, with its variance about the law of the real rows.

    ``estimate``, ``variance``, ``low``, ``high`` and ``degrees`` (of freedom of the t interval)
    have the shape of one estimate. ``raw_variance`` is T before any adjustment; ``adjusted``
    shows where T was not above 0 and was replaced. ``warning`` names a problem that no rule solves.
    """

    rule: Rule
    estimate: np.ndarray
    variance: np.ndarray
    low: np.ndarray
    high: np.ndarray
    degrees: np.ndarray
    raw_variance: np.ndarray
    adjusted: np.ndarray
    warning: str = TOO_SHORT

    def __str__(self) -> str:
        each = zip(*map(np.atleast_1d, (self.estimate, self.low, self.high)), strict=True)
        text = "; ".join(f"{value:.4g} ({low:.4g} to {high:.4g})" for value, low, high in each)
        return f"{text}, by the rule {self.rule!r}; {self.warning}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON-ready form; infinite degrees of freedom are None."""
        degrees = self.degrees.astype(object)
        degrees[~np.isfinite(self.degrees)] = None
        return {
            "rule": self.rule,
            "meaning": RULES[self.rule],
            "estimate": self.estimate.tolist(),
            "variance": self.variance.tolist(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "degrees": degrees.tolist(),
            "raw_variance": self.raw_variance.tolist(),
            "adjusted": self.adjusted.tolist(),
            "warning": self.warning,
        }


@checked(n=Whole(1), k=Whole(1), rule=OneOf(tuple(RULES)), level=Real(above=0, below=1))
def combine_estimates(
    estimates: Any, variances: Any, n: int, k: int, *, rule: Rule = "simple", level: float = 0.05
) -> Combined:
    """Combine the estimates from m synthetic tables, with an honest variance.

    WARNING: these rules hold if the generator is a correctly specified parametric law, estimated at
    the usual rate 1/sqrt(n). Deep generators are neither: their intervals are too short and tests
    reject too often, with any rule (Decruyenaere et al., UAI 2024). The result repeats this.

    ``estimates`` and ``variances`` are (m,) or (m, p): for each table of k rows, the estimate and
    its variance, computed as if the k rows were real; n is the number of real rows. With q the
    estimates, b their variance between tables and v the mean of ``variances``, the variance is

    - "simple", tables from one fitted law: T = v (k/n) (1 + n/(k m)). One table of n rows: 2 v.
    - "proper", the law's parameters drawn anew for each table: T = v (k/n) (1 + (n/k + 1)/m).
    - "incomplete", real rows with some synthetic cells (then k = n): T = v + b/m.
    - "rrr", parameters drawn anew, with no assumption on the rate of v: T = (1 + 1/m) b - v
      (Raghunathan, Reiter and Rubin, J. Official Statistics 19, 2003). It can be negative; v k/n
      then replaces it (Reiter, J. Official Statistics 18, 2002), and ``adjusted`` shows where.

    Intervals use a t distribution with (m - 1) (1 - v/((1 + 1/m) b))^2 degrees of freedom for "rrr"
    and (m - 1) (1 + v m/b)^2 for "incomplete"; in all other cases, and where T was adjusted, they
    use the normal distribution.

    Raises TabseedError for arrays that do not fit, and for a single table if b is needed.
    """
    q, u = as_numbers("estimates", estimates), as_numbers("variances", variances)
    _check_estimates(q, u, rule)
    m = len(q)
    v = u.mean(axis=0)
    b = q.var(axis=0, ddof=1) if m > 1 else np.zeros(q.shape[1:])
    raw, degrees = _RULES[rule](v, b, m, k / n)
    adjusted = (raw <= 0) & (v > 0)
    variance = np.where(adjusted, v * k / n, raw)
    degrees = np.where(adjusted, np.inf, degrees)
    half = student.ppf(1 - level / 2, degrees) * np.sqrt(variance)
    middle = q.mean(axis=0)
    return Combined(
        rule=rule,
        estimate=middle,
        variance=variance,
        low=middle - half,
        high=middle + half,
        degrees=degrees,
        raw_variance=raw,
        adjusted=adjusted,
    )


def _check_estimates(q: np.ndarray, u: np.ndarray, rule: str) -> None:
    if q.shape != u.shape or q.ndim not in (1, 2) or not len(q):
        raise TabseedError(
            f"estimates and variances must both be (m,) or both (m, p); got {q.shape}, {u.shape}"
        )
    if not (np.isfinite(q).all() and np.isfinite(u).all() and (u >= 0).all()):
        raise TabseedError("estimates and variances must be finite, and no variance negative")
    if len(q) < 2 and rule in ("rrr", "incomplete"):
        raise TabseedError(f"rule {rule!r} needs 2 tables or more, got {len(q)}")


def _simple(v: np.ndarray, b: np.ndarray, m: int, ratio: float) -> Pair:
    return v * ratio * (1 + 1 / (ratio * m)), np.full_like(b, np.inf)


def _proper(v: np.ndarray, b: np.ndarray, m: int, ratio: float) -> Pair:
    return v * ratio * (1 + (1 / ratio + 1) / m), np.full_like(b, np.inf)


def _incomplete(v: np.ndarray, b: np.ndarray, m: int, ratio: float) -> Pair:
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = np.where(b > 0, (m - 1) * (1 + v * m / b) ** 2, np.inf)
    return v + b / m, degrees


def _rrr(v: np.ndarray, b: np.ndarray, m: int, ratio: float) -> Pair:
    between = (1 + 1 / m) * b
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = np.where(between > 0, (m - 1) * (1 - v / between) ** 2, np.inf)
    return between - v, degrees


_RULES: dict[Rule, Callable[[np.ndarray, np.ndarray, int, float], Pair]] = {
    "rrr": _rrr,
    "simple": _simple,
    "proper": _proper,
    "incomplete": _incomplete,
}
