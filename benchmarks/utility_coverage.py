"""How often does the interval of the utility gap contain the true gap of the models compared?

    python -m benchmarks.utility_coverage

500 repeats per setting, each with 200 held-out rows, new training rows (200 real, 200 in each
synthetic table) and new models; the true gap follows from the fitted coefficients. x is N(0, 1), a
synthetic x is N(shift, 1), the noise has variance 1/4.

    lines      least-squares lines, y = x^2 + noise: skewed, heavy-tailed losses
    quadratic  quadratics on the same law: a gap near 0
    waves      lines, y = sin(2 x) + noise: light-tailed losses
    threshold  class 1 where x is above the midpoint of the two class means; the boundary is 0 for
               real classes and ``shift`` for synthetic ones; a tenth of the labels is flipped
    rare       the same with almost equal boundaries: few discordant rows

With several draws each synthetic table has its own shift, N(shift, between^2): at 0.2 the gap is a
skewed function of the shift, which few draws cannot show; at 0.05 it is nearly linear. With several
seeds each fit has its own disturbance, N(0, 0.1^2) per coefficient; the gap is then the mean over
draws and seeds. ``below`` and ``above``: shares of repeats with the truth below or above the
interval. ``risk`` and ``relative``: coverage of R(f~) and of the relative gap; ``bounded``: the
share of repeats with a relative gap. Writes ``results/utility_coverage.csv``; takes a minute;
resumable.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
from scipy.special import ndtr  # noqa: E402

import tabseed as ts  # noqa: E402
from experiments.common.results import Results  # noqa: E402
from tabseed.metrics.problem import Problem  # noqa: E402
from tabseed.utility.gap import gaps  # noqa: E402
from tabseed.utility.measure import REAL, REPEATED, SAME_SIZE, SYNTHETIC, Measured  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "utility_coverage.csv"
REPEATS, HELD_OUT, TRAIN = 500, 200, 200
BETWEEN, ALIKE = 0.2, 0.05  # spread of the draws' shifts
DISTURBED, FLIPPED = 0.1, 0.1  # standard deviation between seeds; share of labels
MANY = 20_000  # draws that approximate the mean over all draws
SETTINGS = [
    *(("lines", shift, 1, 1) for shift in (0.0, 0.1, 0.25, 0.5, 1.0)),
    *(("quadratic", shift, 1, 1) for shift in (0.0, 0.5)),
    *(("waves", shift, 1, 1) for shift in (0.0, 0.5, 1.0)),
    *(("threshold", shift, 1, 1) for shift in (0.0, 0.1, 0.25, 0.5, 1.0)),
    ("rare", 0.03, 1, 1),
    *(
        (law, 0.5, draws, seeds)
        for law in ("lines", "waves", "threshold")
        for draws, seeds in ((2, 1), (3, 1), (5, 1), (1, 2), (1, 3), (3, 3))
    ),
    *(
        (law, 0.5, draws, 1, ALIKE)
        for law in ("lines", "waves", "threshold")
        for draws in (2, 3, 5)
    ),
]


@dataclass(frozen=True)
class Law:
    """A true law, a class of models, and the exact risk of each model."""

    name: str

    @property
    def classes(self) -> bool:
        return self.name in ("threshold", "rare")

    def rows(
        self, rng: np.random.Generator, shift: np.ndarray | float, n: int, real: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw x and y, (tables, n)."""
        shift = np.atleast_1d(shift)[:, None]
        x = rng.standard_normal((len(shift), n))
        if self.classes:
            flipped = rng.random(x.shape) < FLIPPED
            return x, ((x > (0 if real else shift)) ^ flipped).astype(np.int64)
        x = x + (0 if real else shift)
        mean = np.sin(2 * x) if self.name == "waves" else x**2
        return x, mean + 0.5 * rng.standard_normal(x.shape)

    def fit(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return coefficients (tables, p)."""
        if self.classes:
            one = (x * y).sum(axis=1) / y.sum(axis=1)
            two = (x * (1 - y)).sum(axis=1) / (1 - y).sum(axis=1)
            return (one + two)[:, None] / 2
        powers = np.stack([x**p for p in range(3 if self.name == "quadratic" else 2)], axis=-1)
        gram = np.einsum("tnp,tnq->tpq", powers, powers)
        return np.linalg.solve(gram, np.einsum("tnp,tn->tp", powers, y)[..., None])[..., 0]

    def predict(self, c: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the outputs (..., h[, 2]) of models (..., p) for x (h,)."""
        if self.classes:
            one = (x > c).astype(float)
            return np.stack([1 - one, one], axis=-1)
        return sum(c[..., p, None] * x**p for p in range(c.shape[-1]))

    def risk(self, c: np.ndarray) -> np.ndarray:
        """Return the exact risk of models (..., p) under the real law."""
        if self.classes:
            return FLIPPED + (1 - 2 * FLIPPED) * np.abs(ndtr(c[..., 0]) - 0.5)
        if self.name == "waves":  # E[x sin 2x] = 2 e^-2, E[sin^2 2x] = (1 - e^-8) / 2
            bias = c[..., 0] ** 2 + (c[..., 1] - 2 * np.exp(-2)) ** 2
            return 0.25 + bias + (1 - np.exp(-8)) / 2 - 4 * np.exp(-4)
        if self.name == "lines":
            return 0.25 + (c[..., 0] - 1) ** 2 + c[..., 1] ** 2 + 2
        a, b, d = c[..., 0], c[..., 1], c[..., 2] - 1
        return 0.25 + a**2 + b**2 + 3 * d**2 + 2 * a * d

    def trivial(self, y: np.ndarray) -> float:
        """Return the exact risk of always predicting the mean, or the commonest class, of y."""
        if self.classes:
            return 0.5
        mean, variance = (0.0, (1 - np.exp(-8)) / 2) if self.name == "waves" else (1.0, 2.0)
        return float(0.25 + variance + (y.mean() - mean) ** 2)


def disturbed(law: Law, c: np.ndarray, seeds: int, rng: np.random.Generator) -> np.ndarray:
    """Return models (tables, seeds, p) from models (tables, p)."""
    scale = DISTURBED if seeds > 1 else 0.0
    return c[:, None] + scale * rng.standard_normal((len(c), seeds, c.shape[-1]))


def expected(law: Law, c: np.ndarray, seeds: int) -> float:
    """Return the mean risk of models (tables, p) over tables and all seeds, by quadrature."""
    if seeds == 1:
        return float(law.risk(c).mean())
    if law.classes:
        node, weight = np.polynomial.hermite_e.hermegauss(80)
        risks = law.risk((c[:, :1] + DISTURBED * node)[..., None])
        return float((risks @ weight).mean() / weight.sum())
    return float(law.risk(c).mean()) + DISTURBED**2 * c.shape[-1]  # E[x^2] = 1: lines only


def main() -> None:
    results = Results(RESULTS, ("law", "shift", "draws", "seeds", "between"))
    for number, (name, shift, draws, seeds, *rest) in enumerate(SETTINGS):
        between = rest[0] if rest else BETWEEN if draws > 1 else 0.0
        key = {"law": name, "shift": f"{shift:g}", "draws": draws, "seeds": seeds}
        key["between"] = f"{between:g}"
        if not results.has(**key):
            results.add({**key, **coverage(Law(name), shift, between, (draws, seeds), number)})


def coverage(
    law: Law, shift: float, between: float, size: tuple[int, int], number: int
) -> dict[str, object]:
    """Simulate one setting; return its figures."""
    rng = np.random.default_rng(number)
    draws, seeds = size
    problem = problem_of(law)
    all_draws = None
    if draws > 1:
        shifts = shift + between * rng.standard_normal(MANY)
        all_draws = expected(law, law.fit(*law.rows(rng, shifts, TRAIN, False)), seeds)
    numbers = np.full((REPEATS, 7), np.nan)
    for r in range(REPEATS):
        x, y = law.rows(rng, 0.0, TRAIN, True)
        real = law.fit(x, y)
        shifts = shift + between * rng.standard_normal(draws)
        synthetic = law.fit(*law.rows(rng, shifts, TRAIN, False))
        xs, ys = (rows[0] for rows in law.rows(rng, 0.0, HELD_OUT, True))
        ours = disturbed(law, real, seeds, rng), disturbed(law, synthetic, seeds, rng)
        gap = gaps(measured(problem, ys, y[0], [law.predict(c, xs) for c in ours]))[0]
        risk = expected(law, synthetic, seeds) if all_draws is None else all_draws
        risk_real = expected(law, real, seeds)
        true, trivial = risk - risk_real, law.trivial(y)
        relative_gap = gap.relative
        numbers[r] = [
            true,
            true < gap.signed.low,
            true > gap.signed.high,
            gap.signed.high - gap.signed.low,
            gap.risk_synthetic.low <= risk <= gap.risk_synthetic.high,
            relative_gap is not None,
            np.nan
            if relative_gap is None
            else relative_gap.low <= (trivial - risk) / (trivial - risk_real) <= relative_gap.high,
        ]
    true, below, above, width, risk, bounded, relative = (
        column[~np.isnan(column)].mean() if not np.isnan(column).all() else np.nan
        for column in numbers.T
    )
    return {
        "gap": f"{true:.4f}",
        "coverage": f"{1 - below - above:.3f}",
        "below": f"{below:.3f}",
        "above": f"{above:.3f}",
        "width": f"{width:.4f}",
        "risk": f"{risk:.3f}",
        "bounded": f"{bounded:.3f}",
        "relative": f"{relative:.3f}",
    }


def problem_of(law: Law) -> Problem:
    values = np.arange(40) % 2 == 1 if law.classes else np.linspace(0, 1, 40)
    frame = pa.table({"x": np.linspace(-1, 1, 40), "y": values})
    return Problem.of(ts.Table.from_frame(frame), "y")


def measured(
    problem: Problem, y: np.ndarray, y_train: np.ndarray, outputs: list[np.ndarray]
) -> Measured:
    """Return the outputs of f^ and f~, (D, S, h[, C]), as one model's; gaps() needs no more."""
    real, synthetic = (s[None] for s in outputs)
    on_holdout = {REAL: real, REPEATED: real, SYNTHETIC: synthetic, SAME_SIZE: synthetic}
    none = np.empty((0,))
    return Measured(
        problem, ("model",), y, [], y_train, on_holdout, {}, none, [], True, {REAL: len(y_train)}
    )


if __name__ == "__main__":
    main()
