"""Does the certified lower bound of the chi-square divergence stay below the truth?

    python -m benchmarks.chi2_coverage [repeats] [method ...]

Cases of N(shift, I) against N(0, I) in 1 and 5 dimensions, where the truth is
exp(d shift^2) - 1; all methods, 100 repeats, default settings, no permutations. The bar: the bound
is at or below the truth in at least 98 of 100 repeats. Pooled with half real rows, the truth comes
from quadrature (it depends only on the length of the shift). In the null case of 200 rows the
classifier also makes 19 permutations, and the p-values above 0.05 are counted. Writes one line per
case, method and repeat to ``results/chi2_coverage.csv``; resumable, about 40 minutes on one idle
core. The last printed lines summarise that file.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
from scipy.integrate import quad  # noqa: E402
from scipy.stats import norm  # noqa: E402

import tabseed as ts  # noqa: E402
from experiments.common.results import Results  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "chi2_coverage.csv"
CASES = {  # dimensions, shift in each dimension, rows in each table
    "null, 1-d": (1, 0.0, 1_000),
    "null, 5-d": (5, 0.0, 1_000),
    "null, 5-d, few rows": (5, 0.0, 200),
    "shift 0.5, 1-d": (1, 0.5, 1_000),
    "shift 1, 1-d": (1, 1.0, 1_000),
    "shift 2, 1-d": (1, 2.0, 1_000),
    "shift 0.5, 5-d": (5, 0.5, 1_000),
}
METHODS = ("gaussian", "ulsif", "histogram", "classifier")


def pair(case: str, repeat: int) -> tuple[pa.Table, pa.Table]:
    width, shift, n = CASES[case]
    rng = np.random.default_rng([repeat, n, width])
    real, fake = rng.normal(size=(n, width)) + shift, rng.normal(size=(n, width))
    return tuple(pa.table({f"x{j}": x[:, j] for j in range(width)}) for x in (real, fake))


def truth(case: str) -> tuple[float, float]:
    """Return the chi-square of real from synthetic, and from both in equal parts."""
    width, shift, _ = CASES[case]
    distance = math.sqrt(width) * shift

    def density(x: float) -> float:
        p, q = norm.pdf(x, distance), norm.pdf(x)
        return float(2 * p**2 / (p + q))

    return math.expm1(distance**2), quad(density, -10, 10 + distance)[0] - 1


def main(repeats: int, methods: list[str]) -> None:
    results = Results(RESULTS, ("case", "method", "repeat"))
    for method in methods:
        for repeat in range(repeats):
            for case, (width, shift, n) in CASES.items():
                key = {"case": case, "method": method, "repeat": repeat}
                single_cells = method == "histogram" and width > 1  # each joint cell has one row
                if results.has(**key) or single_cells:
                    continue
                with_null = method == "classifier" and shift == 0 and n == 200
                metric = ts.ChiSquareDivergence(method, permutations=19 if with_null else 0)
                estimate = metric.evaluate(*pair(case, repeat), random_state=repeat)
                numbers = {"plugin": estimate.plugin.value, "lower_95": estimate.lower_95}
                numbers |= {"pooled": estimate.pooled.value, "tv_lower": estimate.tv_lower}
                p_value = "" if estimate.null is None else estimate.null.p_value
                results.add({**key, **numbers, "p_value": p_value})
    summary(results)


def summary(results: Results) -> None:
    for method in METHODS:
        for case in CASES:
            rows = [r for r in results.rows if r["method"] == method and r["case"] == case]
            if len(rows) < 2:
                continue
            chi2, pooled = truth(case)
            plugin, bound, mixed = (
                np.array([float(r[k]) for r in rows]) for k in ("plugin", "lower_95", "pooled")
            )
            finite = plugin[np.isfinite(plugin)]
            spread = f"{np.mean(finite):.3f} (sd {np.std(finite):.3f})" if len(finite) else "inf"
            p_values = [float(r["p_value"]) for r in rows if r["p_value"]]
            above = sum(p > 0.05 for p in p_values)
            p_note = f", p > 0.05 in {above} of {len(p_values)}" if p_values else ""
            print(
                f"{method}, {case}: truth {chi2:.3f}, plug-in {spread}, bound {bound.mean():.3f}, "
                f"at or below the truth in {(bound <= chi2).sum()} of {len(rows)}; "
                f"pooled {mixed.mean():.3f} (sd {mixed.std():.3f}), truth {pooled:.3f}{p_note}"
            )


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    main(count, sys.argv[2:] or list(METHODS))
