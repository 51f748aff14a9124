"""Do generators approach a known law as the number of rows grows?

    python -m benchmarks.known_laws

Three laws: a mixture of three Gaussians in four dimensions; a Bayesian network of six categories;
a binary response, logistic in two normal features, a category and their interaction. A generator
learns from n rows; 10,000 rows drawn from it are compared with 10,000 fresh rows of the law (plain
JS, the larger of two judges, bits). Two draws of everything. Writes ``results/known_laws.csv``;
resumable.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402

import tabseed as ts  # noqa: E402
from experiments.common.results import Results  # noqa: E402
from tabseed.generators import generator_class  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "known_laws.csv"
SIZES, DRAWS, JUDGED = (300, 3_000, 20_000), 2, 10_000
NAMES = ("trees", "arf", "copula", "smote")
JUDGE = ts.DiscriminatorDivergence(views=("plain",), permutations=0, folds=3, repeats=1, n_jobs=1)


def gaussian_mixture(n: int, rng: np.random.Generator) -> pa.Table:
    """Weights 0.5, 0.3, 0.2; means and covariances from a fixed seed."""
    fixed = np.random.default_rng(1)
    means = 2 * fixed.standard_normal((3, 4))
    roots = fixed.standard_normal((3, 4, 4)) / 2
    part = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    z = rng.standard_normal((n, 4))
    x = means[part] + np.einsum("nij,nj->ni", roots[part], z) + 0.3 * rng.standard_normal((n, 4))
    return pa.table({f"x{i}": x[:, i] for i in range(4)})


def bayesian_network(n: int, rng: np.random.Generator) -> pa.Table:
    """a -> b, a -> c, (b, c) -> d, d -> e, (a, e) -> f; 2 to 4 levels, Dirichlet(1) tables."""
    fixed = np.random.default_rng(2)
    size = {"a": 3, "b": 2, "c": 4, "d": 3, "e": 2, "f": 3}
    parents = {"a": "", "b": "a", "c": "a", "d": "bc", "e": "d", "f": "ae"}
    columns: dict[str, np.ndarray] = {}
    for name, k in size.items():
        shape = [size[p] for p in parents[name]]
        table = fixed.dirichlet(np.ones(k), shape or 1)
        p = (
            table[tuple(columns[q] for q in parents[name])]
            if shape
            else np.repeat(table, n, axis=0)
        )
        columns[name] = (p.cumsum(axis=1)[:, :-1] < rng.random(n)[:, None]).sum(axis=1)
    return pa.table({name: np.array(list("stuv"))[level] for name, level in columns.items()})


def logistic(n: int, rng: np.random.Generator) -> pa.Table:
    """logit P(y) = -0.5 + x1 - x2 + 2 x1 x2 + (0, 1, -1)[c]."""
    x1, x2 = rng.standard_normal((2, n))
    c = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    logit = -0.5 + x1 - x2 + 2 * x1 * x2 + np.array([0.0, 1.0, -1.0])[c]
    y = rng.random(n) < 1 / (1 + np.exp(-logit))
    return pa.table({"x1": x1, "x2": x2, "c": np.array(["p", "q", "r"])[c], "y": y})


LAWS: dict[str, Callable[[int, np.random.Generator], pa.Table]] = {
    "gaussian mixture": gaussian_mixture,
    "bayesian network": bayesian_network,
    "logistic": logistic,
}


def main() -> None:
    results = Results(RESULTS, ("law", "n", "draw", "generator"))
    for draw in range(DRAWS):
        for n in SIZES:
            for at, (law, make) in enumerate(LAWS.items()):
                rng = np.random.default_rng([at, n, draw])
                train, fresh = make(n, rng), make(JUDGED, rng)
                for name in NAMES:
                    key = {"law": law, "n": n, "draw": draw, "generator": name}
                    if results.has(**key):
                        continue
                    model = generator_class(name)(random_state=draw).fit(train)
                    js = JUDGE.evaluate(fresh, model.sample(JUDGED), random_state=draw).js
                    results.add({**key, "js": js.value, "low": js.low, "high": js.high})


if __name__ == "__main__":
    main()
