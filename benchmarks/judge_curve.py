"""Can a JS at 9,500 + 9,500 rows be foretold from 1,000 + 1,000 of them?

    TABSEED_DATA=... python -m benchmarks.judge_curve [measure | foretell]

``measure`` writes ``results/judge_curve.csv``: the JS in bits of both judges at 250, 500 and 1,000
rows of each table, the fewer being the first of the more, for tables that the authors of arXiv
2407.03080 generated (four arms of four data sets) and for real rows, in both views. Resumable,
about 6 minutes of one core. ``foretell`` fits curves to these lines, takes the JS at 9,500
rows from ``experiments/main_job/results/coding.csv`` (same tables; its network
was trained on other batches), and writes to
``results/judge_curve_foretold.csv`` how often the interval of each family of curves holds that JS.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402

import tabseed as ts  # noqa: E402
from experiments.common.paper1 import LATENT_DIM, coded, generated  # noqa: E402
from experiments.common.results import Results, Row, read  # noqa: E402
from tabseed.metrics.judge_curve import foretell as foretell_js  # noqa: E402
from tabseed.metrics.judge_curve import inverse_power, line_of_logits  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "judge_curve.csv"
ARMS = ("low_data", "avg", "pretrain", "big_data")
REAL = "real"  # an arm of real rows: the divergence is 0 at any number of rows
VIEWS = ("plain", "coarse")
DRAWS = 2
ROWS = 1_000
SIZES = (250, 500, 1_000)  # rows of each table


def measure() -> None:
    results = Results(RESULTS, ("data", "arm", "draw", "rows", "view"))
    judge = ts.DiscriminatorDivergence(folds=5, repeats=1, permutations=0, n_jobs=1)
    for draw in range(DRAWS):
        for name in LATENT_DIM:
            pool, held_out = coded(name)
            rng = np.random.default_rng([2407, 17, draw])
            real = held_out.take(rng.permutation(len(held_out))[:ROWS])
            for arm in (*ARMS, REAL):
                theirs = pool if arm == REAL else generated(name, arm, held_out)
                fake = theirs.take(rng.permutation(len(theirs))[:ROWS])
                for size in SIZES:
                    key = {"data": name, "arm": arm, "draw": draw, "rows": size}
                    if results.has(**key):
                        continue
                    tables = (table.take(np.arange(size)) for table in (real, fake))
                    found = judge.evaluate(*tables, random_state=draw).estimates
                    results.add_new(
                        {
                            **key,
                            "view": view,
                            **{d: found[view][d]["js"].value for d in ("trees", "mlp")},
                        }
                        for view in VIEWS
                    )


# --- foretelling --------------------------------------------------------------------------------

FAR = 9_500
TRUTH = Path(__file__).parents[1] / "experiments" / "main_job" / "results" / "coding.csv"
FORETOLD = RESULTS.with_name("judge_curve_foretold.csv")
Interval = tuple[float, float]


def alone(family: Callable[..., tuple[np.ndarray, np.ndarray]]) -> Callable[..., Interval]:
    """Return the 95 % interval of one family."""

    def interval(found: np.ndarray) -> Interval:
        js, weight = family(SIZES, found, FAR)
        order = np.argsort(js)
        low, high = np.searchsorted(np.cumsum(weight[order]), (0.025, 0.975))
        return js[order[low]], js[order[min(high, len(js) - 1)]]

    return interval


def both(found: np.ndarray) -> Interval:
    estimate = foretell_js(SIZES, found, FAR)
    return estimate.low, estimate.high


def at_least(found: np.ndarray) -> Interval:
    """Return about the lower end at ROWS rows, and 1: what can be said without a curve."""
    return found[-1] - 1.96 * np.sqrt(max(found[-1], 0) / (ROWS * np.log(2))), 1.0


FAMILIES: dict[str, Callable[[np.ndarray], Interval]] = {
    "inverse power": alone(inverse_power),
    "line of logits": alone(line_of_logits),
    "both, as JudgeCurve has them": both,
    "no curve: at least": at_least,
}


def cases() -> list[tuple[Row, np.ndarray, float]]:
    """Return each case, the JS (of the larger judge at most rows) by SIZES, and that at FAR."""
    lines = read(RESULTS)
    far = {(r["data"], r["arm"].removeprefix("authors' ")): r for r in read(TRUTH)}
    found: list[tuple[Row, np.ndarray, float]] = []
    for line in lines:
        if line["rows"] != str(ROWS):
            continue
        keys = ("data", "arm", "draw", "view")
        same = [r for r in lines if all(r[k] == line[k] for k in keys)]
        by_size = {int(r["rows"]): r for r in same}
        for judge in ("trees", "mlp"):
            values = np.array([float(by_size[n][judge]) for n in SIZES])
            case = {**{k: line[k] for k in keys}, "judge": judge}
            truth = 0.0
            if line["arm"] != REAL:
                truth = float(far[line["data"], line["arm"]][f"{line['view']} {judge}"])
            found.append((case, values, truth))
    return found


def foretell() -> None:
    rows: list[Row] = []
    for family, method in FAMILIES.items():
        groups: dict[tuple[str, ...], list[tuple[bool, float]]] = {}
        for case, values, truth in cases():
            low, high = method(values)
            kind = REAL if case["arm"] == REAL else "generated"
            group = groups.setdefault((kind, case["view"], case["judge"]), [])
            group.append((low <= truth <= high, high - low))
        for (kind, view, judge), found in sorted(groups.items()):
            held, width = (np.array(part) for part in zip(*found, strict=True))
            rows.append(
                {
                    "family": family,
                    "rows judged": kind,
                    "view": view,
                    "judge": judge,
                    "cases": len(held),
                    "held": int(held.sum()),
                    "mean width": f"{width.mean():.3f}",
                }
            )
    with FORETOLD.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(*row.values())


PARTS = {"measure": measure, "foretell": foretell}


if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
