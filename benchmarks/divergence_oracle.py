"""Does the divergence reach the truth where the truth is known?

``TABSEED_DATA=... python -m benchmarks.divergence_oracle [part ...]`` (about 20 minutes on two
cores) writes ``results/divergence_oracle.csv``: one row per figure, with the truth, the bar and
whether the figure meets it; lines of parts that are not named stay. Every estimate is a lower
bound; ``bound`` says whether its lower end is at or below the truth (it is everywhere; the four
figures that miss their bar are short of the truth, as bounds may be). Parts: oracle (Gaussians and
mixtures, 9,000 rows each), kl (nine laws, 500 rows each: how often is the lower end of KL at or
below the truth?), null (coverage of 0), power (shifts distinguished from 0, also at the limit that
``smallest_js`` states), peers (the PyPI package ``jensenshannondivergence`` on five pairs of
tables). The truth comes from quadrature, or from the true log ratio on 4,000,000 drawn rows (its
standard error is below 0.001).
"""

from __future__ import annotations

import csv
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from joblib import Parallel, delayed
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import log_expit, logsumexp
from scipy.stats import norm

from experiments.common.data import DATA
from experiments.common.machine import system
from tabseed.metrics import DiscriminatorDivergence
from tabseed.metrics.divergence import estimates_from_log_ratio

RESULTS = Path(__file__).parent / "results" / "divergence_oracle.csv"
FIELDS = [
    "part",
    "case",
    "rows",
    "figure",
    "value",
    "low",
    "high",
    "truth",
    "bar",
    "met",
    "bound",
    "seconds",
]
ROWS = 9_000
REPEATS = 100
LIMIT_REPEATS = 60
KL_ROWS, KL_REPEATS = 500, 10
HOLDS, INSIDE = "lower end at or below the truth", "truth between both ends"
Row = dict[str, object]


def as_table(x: np.ndarray) -> pa.Table:
    return pa.table({f"x{j}": x[:, j] for j in range(x.shape[1])})


def judge(real: pa.Table, synthetic: pa.Table, seed: int, n_jobs: int = 1):
    metric = DiscriminatorDivergence(views=("plain",), permutations=0, n_jobs=n_jobs)
    return metric.evaluate(real, synthetic, random_state=seed)


# --- laws with known density --------------------------------------------------------------------


class Mixture:
    """Spherical Gaussians; ``scales`` are standard deviations, 1 by default; equal ``shares``."""

    def __init__(
        self,
        means: np.ndarray,
        scales: np.ndarray | None = None,
        shares: np.ndarray | None = None,
    ) -> None:
        self.means = np.atleast_2d(means).astype(float)
        self.scales = np.ones(len(self.means)) if scales is None else scales
        self.shares = shares

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        if self.shares is None:
            which = rng.integers(0, len(self.means), n)
        else:
            which = rng.choice(len(self.means), n, p=self.shares)
        noise = rng.normal(size=(n, self.means.shape[1]))
        return self.means[which] + noise * self.scales[which, None]

    def log_density(self, x: np.ndarray) -> np.ndarray:
        squares = ((x[:, None, :] - self.means) ** 2).sum(axis=2) / self.scales**2
        terms = -squares / 2 - x.shape[1] * np.log(self.scales)
        if self.shares is None:
            return logsumexp(terms, axis=1) - math.log(len(self.means))
        return logsumexp(terms, axis=1, b=self.shares)


def laws() -> dict[str, tuple[Mixture, Mixture]]:
    e = np.eye(10)
    two = np.array([[2.0, 0.0], [-2.0, 0.0]])
    return {
        "N(0,1) and N(1,1)": (Mixture(np.zeros((1, 1))), Mixture(np.ones((1, 1)))),
        "10-d, shift 1 in one": (Mixture(np.zeros((1, 10))), Mixture(e[:1])),
        "10-d, shift 0.5 in all": (Mixture(np.zeros((1, 10))), Mixture(np.full((1, 10), 0.5))),
        "10-d, scale 1.3": (
            Mixture(np.zeros((1, 10))),
            Mixture(np.zeros((1, 10)), np.array([1.3])),
        ),
        "2-d mixture, modes turned": (Mixture(two), Mixture(two[:, ::-1])),
        "2-d mixture, a mode lost": (Mixture(np.vstack([two, [[0.0, 3.0]]])), Mixture(two)),
    }


def harder_laws() -> dict[str, tuple[Mixture, Mixture]]:
    """Return laws whose ratio is large where q has few rows or none."""
    one = Mixture(np.zeros((1, 1)))
    rare = Mixture(np.array([[6.0], [0.0]]), shares=np.array([0.99, 0.01]))
    return {
        "N(0,1) and N(0,1.5)": (one, Mixture(np.zeros((1, 1)), np.array([1.5]))),
        "N(3,1) and N(0,1)": (Mixture(np.full((1, 1), 3.0)), one),
        "N(0,1), 1 % of a law far off": (one, rare),
    }


def truth(p: Mixture, q: Mixture) -> tuple[float, float]:
    """Return KL in nats and JS in bits from 4,000,000 rows of each law."""
    rng = np.random.default_rng(99)
    kl, loss = [], []
    for _ in range(10):
        x, y = p.draw(400_000, rng), q.draw(400_000, rng)
        r, s = p.log_density(x) - q.log_density(x), p.log_density(y) - q.log_density(y)
        kl.append(r.mean())
        loss.append((log_expit(r).mean() + log_expit(-s).mean()) / 2)
    return float(np.mean(kl)), 1 + float(np.mean(loss)) / math.log(2)


def gaussian_js(shift: float) -> float:
    """Return the JS of N(0, 1) and N(shift, 1) in bits, by quadrature."""

    def density(x: float) -> float:
        r = shift * x - shift**2 / 2
        return float(norm.pdf(x) * np.logaddexp(0, r) + norm.pdf(x, shift) * np.logaddexp(0, -r))

    return 1 - quad(density, -12, 12 + shift)[0] / 2 / math.log(2)


def oracle() -> list[Row]:
    rows: list[Row] = []
    for case, (p, q) in laws().items():
        rng = np.random.default_rng(0)
        kl, js = truth(p, q)
        began = time.perf_counter()
        x, y = p.draw(ROWS, rng), q.draw(ROWS, rng)
        result = judge(as_table(x), as_table(y), 0, n_jobs=2)
        seconds = time.perf_counter() - began
        # the true log ratio on the same rows: what is left of the error is chance
        both_rows = np.vstack([x, y])
        from_true_ratio = estimates_from_log_ratio(
            (p.log_density(both_rows) - q.log_density(both_rows))[None], ROWS
        )
        for name, estimates in {
            **result.estimates["plain"],
            "of the known law": from_true_ratio,
        }.items():
            for key, truth_value, bar in (("kl", kl, 0.03), ("js", js, 0.01)):
                e = estimates[key]
                met = abs(e.value - truth_value) <= bar if name == "mlp" else ""
                is_judge = name != "of the known law"
                rows.append(
                    {
                        "part": "oracle",
                        "case": case,
                        "rows": f"{ROWS}+{ROWS}",
                        "figure": f"{key} {name}",
                        "value": e.value,
                        "low": e.low,
                        "high": e.high,
                        "truth": truth_value,
                        "bar": f"within {bar}" if name == "mlp" else "",
                        "met": met,
                        "bound": e.low <= truth_value if is_judge else "",
                        "seconds": seconds,
                    }
                )
    return rows


def kl_one(p: Mixture, q: Mixture, seed: int) -> tuple[float, float, float]:
    rng = np.random.default_rng([2407, seed])
    x, y = p.draw(KL_ROWS, rng), q.draw(KL_ROWS, rng)
    metric = DiscriminatorDivergence(views=("plain",), permutations=0, repeats=1, n_jobs=1)
    kl = metric.evaluate(as_table(x), as_table(y), random_state=seed).kl
    return kl.value, kl.low, kl.high


def kl() -> Iterator[Row]:
    """Count over repeats where the truth lies: above the lower end, and within the interval."""
    everywhere: list[np.ndarray] = []
    base = {"part": "kl", "rows": f"{KL_ROWS}+{KL_ROWS}"}
    for case, (p, q) in {**laws(), **harder_laws()}.items():
        began = time.perf_counter()
        right, _ = truth(p, q)
        found = np.array([kl_one(p, q, seed) for seed in range(KL_REPEATS)])
        seconds = time.perf_counter() - began
        holds = found[:, 1] <= right
        inside = holds & (found[:, 2] >= right)
        everywhere.append(np.column_stack([holds, inside]))
        value, low, high = found.mean(axis=0)
        numbers = {"value": value, "low": low, "high": high, "truth": right, "seconds": seconds}
        yield {**base, "case": case, "figure": "mean kl and mean ends", **numbers}
        for name, share in ((HOLDS, holds), (INSIDE, inside)):
            yield {**base, "case": case, "figure": name, "value": float(share.mean())}
    holds, inside = np.concatenate(everywhere).mean(axis=0)
    bar = {"bar": f">= 0.95 of {len(everywhere) * KL_REPEATS}", "met": bool(holds >= 0.95)}
    yield {**base, "case": "all laws", "figure": HOLDS, "value": float(holds), **bar}
    yield {**base, "case": "all laws", "figure": INSIDE, "value": float(inside)}


# --- coverage and power -------------------------------------------------------------------------

Pair = Callable[[int, int, int], tuple[pa.Table, pa.Table]]


def gaussians(shift: float, width: int = 1) -> Pair:
    def pair(n: int, m: int, seed: int) -> tuple[pa.Table, pa.Table]:
        rng = np.random.default_rng([seed, n, m])
        real, fake = rng.normal(size=(n, width)), rng.normal(size=(m, width))
        fake[:, 0] += shift
        return as_table(real), as_table(fake)

    return pair


def halves(name: str) -> Pair:
    whole = pq.read_table(DATA / f"{name}.parquet")

    def pair(n: int, m: int, seed: int) -> tuple[pa.Table, pa.Table]:
        rows = whole.take(np.random.default_rng([seed, n, m]).permutation(len(whole))[: n + m])
        return rows.slice(0, n), rows.slice(n)

    return pair


def one(pair: Pair, n: int, m: int, seed: int) -> list[tuple[float, float, float]]:
    result = judge(*pair(n, m, seed), seed)
    estimates = [*(found["js"] for found in result.estimates["plain"].values()), result.js]
    return [(js.value, js.low, js.high) for js in estimates]


def repeated(
    part: str, case: str, pair: Pair, sizes: tuple[int, int], right: tuple[float, str, int]
) -> list[Row]:
    """Count over repeats the intervals that contain 0 (null) or lie above it (power)."""
    began = time.perf_counter()
    repeats = LIMIT_REPEATS if part == "limit" else REPEATS
    work = (delayed(one)(pair, *sizes, seed) for seed in range(repeats))
    estimates = np.array(Parallel(n_jobs=2)(work))
    js, share, bar = right
    rows: list[Row] = []
    for name, values in zip(("trees", "mlp", "larger"), np.moveaxis(estimates, 1, 0), strict=True):
        value, low, high = values.T
        holds = ((low <= 0) & (high >= 0)) if part == "null" else low > 0
        judged = name == "larger" or part == "null"
        rows.append(
            {
                "part": part,
                "case": case,
                "rows": f"{sizes[0]}+{sizes[1]}",
                "figure": f"{share}, js {name}",
                "value": float(holds.mean()),
                "low": float(value.mean()),
                "high": float(value.std(ddof=1)),
                "truth": js,
                "bar": f">= {bar} % of {repeats} (low, high: mean and sd)" if judged else "",
                "met": bool(holds.mean() * 100 >= bar) if judged else "",
                "seconds": time.perf_counter() - began,
            }
        )
    return rows


def null() -> list[Row]:
    rows: list[Row] = []
    for name, n, m in (("adult", 1000, 1000), ("adult", 150, 150), ("adult", 60, 600),
                       ("heart_cleveland", 150, 150)):  # fmt: skip
        rows += repeated("null", name, halves(name), (n, m), (0.0, "interval holds 0", 90))
    return rows


def power() -> list[Row]:
    right = (gaussian_js(0.5), "interval above 0", 90)
    rows = repeated("power", "shift 0.5", gaussians(0.5), (1000, 1000), right)
    for width, n, m in ((1, 60, 600), (5, 60, 600), (1, 150, 150), (1, 1000, 1000)):
        # the limit that smallest_js states if shuffled labels give no divergence
        limit = 2 * (1.96 + 0.8416) ** 2 * (1 / n + 1 / m) / (2 * math.log(2))
        shift = brentq(lambda s, goal=limit: gaussian_js(s) - goal, 0.01, 8)
        case = f"JS at the stated limit, {width}-d"
        right = (limit, "interval above 0", 80)
        rows += repeated("limit", case, gaussians(shift, width), (n, m), right)
    return rows


# --- the PyPI package ---------------------------------------------------------------------------


def peers(n: int = 1_000) -> list[Row]:
    """Compare five pairs: real rows of paper 1 and rows from its generators, as numbers."""
    import torch
    from jensenshannondivergence import estimate_jensen_shannon

    rows: list[Row] = []
    for name, arm in (("adult", "avg"), ("adult", "big_data"), ("news", "low_data"),
                      ("king", "ctgan_low_data"), ("intrusion", "maml")):  # fmt: skip
        real = pq.read_table(DATA / "paper1_processed" / f"{name}.parquet")
        fake = pq.read_table(DATA / "paper1_generated" / f"{name}.parquet")
        real = real.filter(pa.compute.equal(real["split"], "m")).drop_columns("split")
        fake = fake.filter(pa.compute.equal(fake["arm"], arm)).drop_columns("arm")
        rng = np.random.default_rng(0)
        x, y = (
            np.column_stack([t[c].to_numpy() for c in real.column_names])[
                rng.permutation(len(t))[:n]
            ].astype(float)
            for t in (real, fake)
        )
        pooled = np.vstack([x, y])
        scale = np.where(pooled.std(axis=0) > 0, pooled.std(axis=0), 1)
        x, y = (x - pooled.mean(axis=0)) / scale, (y - pooled.mean(axis=0)) / scale
        began = time.perf_counter()
        ours = judge(as_table(x), as_table(y), 0, n_jobs=2)
        middle = time.perf_counter()
        torch.manual_seed(0)
        with tempfile.TemporaryDirectory() as folder:
            theirs = estimate_jensen_shannon(
                x, y, seed=0, epochs=1_000, verbose=False, results_root=folder
            )
        durations = (middle - began, time.perf_counter() - middle)
        base = {"part": "peers", "case": f"{name} {arm}", "rows": f"{n}+{n}"}
        for label in ("trees", "mlp"):
            e = ours.estimates["plain"][label]["js"]
            numbers = {"value": e.value, "low": e.low, "high": e.high, "seconds": durations[0]}
            rows.append({**base, "figure": f"js {label}", **numbers})
        figure = "js of jensenshannondivergence 0.1.0, MLP, at most 1,000 epochs"
        rows.append({**base, "figure": figure, "value": theirs, "seconds": durations[1]})
    return rows


PARTS = {"oracle": oracle, "kl": kl, "null": null, "power": power, "peers": peers}


def rounded(row: Row) -> Row:
    return {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()}


def main(parts: list[str]) -> None:
    """Run the parts; the lines of others stay, before the new ones."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    old = RESULTS.read_text().splitlines()[1:] if RESULTS.exists() else []
    replaced = {"limit" if "power" in parts else "", *parts}
    kept = [row for row in csv.DictReader(old) if row["part"] not in replaced]
    with RESULTS.open("w", newline="") as file:
        file.write(f"# {system()}\n")
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        file.flush()
        for part in parts:
            for row in PARTS[part]():
                writer.writerow(rounded(row))
                print(*rounded(row).values(), flush=True)
                file.flush()


if __name__ == "__main__":
    main(sys.argv[1:] or list(PARTS))
