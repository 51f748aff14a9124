"""Does a private fit leak more than its epsilon? An audit with two tables that differ by one row.

``python -m benchmarks.private_audit [fits=400] [summary]`` writes ``results/private_audit.csv``, a
line for each fit, and prints the summary; an interrupted run goes on. Needs
``pip install "tabseed[private]"``. About 7 CPU seconds a fit: 800 fits take an hour and a half.

Twenty rows all have level "a" of one column that may be "a" or "b"; the neighbour has one more,
"b". The attacker knows all this, and guesses from the model which of both was learned: the
neighbour if the released count of "b" is above one half, the best guess by symmetric noise. Nothing
is chosen by the fits, so each audit uses all of its own. epsilon is at least ln((t - delta) / f),
and the same of the other guess, by Clopper and Pearson's limits, at 95 % together, of the rates t
of right and f of wrong guesses (Jagielski et al., arXiv 2006.07709). The fits are cut into 20
audits.

It can fail: without noise 20 of 20 guesses are right, and the bound is 1.4. It cannot tell an
epsilon of 0.5 from one of 1 in one audit; all fits together can tell it from one of 0.8.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.stats import beta

import tabseed as ts
from experiments.common.results import Results, Row, read

RESULTS = Path(__file__).parent / "results" / "private_audit.csv"
KEYS = ("with", "fit")
PUBLIC = ts.Schema((ts.Column("x", "categorical", categories=("a", "b"), missing=False),))
EPSILON, DELTA, ROWS, AUDITS, LEVEL = 0.5, 1e-6, 20, 20, 0.05


def fit(more: bool, index: int) -> Row:
    """Fit once, and return what the attacker looks at."""
    table = pa.table({"x": ["a"] * ROWS + ["b"] * more})
    model = ts.PrivateMarginals(EPSILON, DELTA, PUBLIC, anyway=True).fit(table)
    return {"with": int(more), "fit": index, "b": float(model.tree_.counts[0][1])}


def bound(true: np.ndarray, false: np.ndarray) -> float:
    """Return the lower limit of epsilon by guesses (n,) of fits with the row, and without it."""
    limits = []
    for right, wrong in ((true, false), (~false, ~true)):
        n, hits, misses = len(right), int(right.sum()), int(wrong.sum())
        low = beta.ppf(LEVEL / 4, hits, n - hits + 1) if hits else 0.0
        high = beta.ppf(1 - LEVEL / 4, misses + 1, n - misses) if misses < n else 1.0
        limits.append(np.log(max(low - DELTA, 1e-300) / high))
    return max(0.0, float(max(limits)))


def summary() -> None:
    """Print the bound of each audit."""
    lines = read(RESULTS)
    guesses = [
        np.array([float(r["b"]) > 0.5 for r in lines if r["with"] == side]) for side in ("1", "0")
    ]
    n = min(map(len, guesses)) // AUDITS
    if n < 2:
        return print(f"{len(lines)} fits: too few for {AUDITS} audits")
    bounds = [bound(*(side[i * n : (i + 1) * n] for side in guesses)) for i in range(AUDITS)]
    print(f"{AUDITS} audits of 2 x {n} fits, epsilon {EPSILON:g}: bounds up to {max(bounds):.2f}")
    print(f"below epsilon: {sum(b < EPSILON for b in bounds)} of {AUDITS}")
    return print(f"one audit of all fits: {bound(*guesses):.2f}; {[int(g.sum()) for g in guesses]}")


def main(arguments: list[str]) -> None:
    """Fit as often as asked, and print the summary."""
    fits = int(dict(a.split("=") for a in arguments if "=" in a).get("fits", 400))
    results = Results(RESULTS, KEYS)
    for index in range(0 if "summary" in arguments else fits):
        for more in (True, False):
            if not results.has(**{"with": int(more), "fit": index}):
                results.add(fit(more, index))
    summary()


if __name__ == "__main__":
    main(sys.argv[1:])
