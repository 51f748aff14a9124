"""What does a guarantee of privacy cost? JS and TSTR by epsilon and number of rows, two tables.

``TABSEED_DATA=... python -m experiments.privacy.dp [table ...] [n=300] [epsilon=3] [method=aim]``
writes ``results/dp.csv``, a line for each cell, and prints it; arguments take part of the cells. An
interrupted run goes on where it stopped; ``summary`` fills README.md. Needs
``pip install "tabseed[private]"``.

Of each draw, n rows train and 2,000 others judge; ``PrivateMarginals`` draws 2,000 rows from what
its public schema (``public/``: levels and top codes as the documentation of the tables has them,
cut points at round numbers) and its budget allow, with delta 1e-6 and ``anyway=True``: cells that
it would refuse (n/d below 50 and pair above 0.5) are measured too. epsilon "none" is
SequentialTrees, without a guarantee.

js: ``DiscriminatorDivergence``, bits, coarse view. tstr and trtr: AUC on the judging rows of
boosted trees that learned 2,000 synthetic rows, or the n real rows that trained. pair: the share of
rows that noise was expected to move in an average pair of columns. A cell of Adult by MST costs
some two CPU minutes, of which the judging takes six seconds.
"""

from __future__ import annotations

import sys
import time
from itertools import product
from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: E402
from sklearn.metrics import roc_auc_score  # noqa: E402

import tabseed as ts  # noqa: E402
from experiments.common.data import DATA  # noqa: E402
from experiments.common.markdown import fill, table  # noqa: E402
from experiments.common.results import Results, Row, read  # noqa: E402

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "dp.csv"
KEYS = ("table", "n", "epsilon", "method", "draw")
TARGETS = {"adult": "income", "diabetes_cdc": "Diabetes_binary"}
SIZES, EPSILONS, METHODS, DRAWS = (300, 3_000, 30_000), (0.5, 1, 3, 10), ("aim", "mst"), 3
DELTA, JUDGED, SEED = 1e-6, 2_000, 1_818


def rows(name: str, n: int, draw: int, public: ts.Schema) -> tuple[ts.Table, ts.Table]:
    """Return the rows that train and those that judge."""
    frame = pq.read_table(DATA / f"{name}.parquet").select(public.names)
    order = np.random.default_rng([SEED, draw]).permutation(len(frame))
    parts = order[JUDGED : JUDGED + n], order[:JUDGED]
    train, held = (ts.Table.from_frame(frame.take(part), schema=public) for part in parts)
    return train, held


def auc(train: ts.Table, held: ts.Table, target: str) -> float:
    """Return the AUC of boosted trees; 0.5 if only one class trains."""
    names = [c.name for c in held.schema if c.name != target]
    x, inputs = (np.column_stack([t.cells(n) for n in names]).astype(float) for t in (train, held))
    y = train.codes(target)
    if len(np.unique(y)) < 2:
        return 0.5
    model = HistGradientBoostingClassifier(random_state=0).fit(x, y)
    return float(roc_auc_score(held.codes(target), model.predict_proba(inputs)[:, 1]))


def cell(name: str, n: int, epsilon: float | str, method: str, draw: int) -> Row:
    """Return one line of results."""
    public = ts.read_schema(HERE / "public" / f"{name}.json")
    train, held = rows(name, n, draw, public)
    start = time.process_time()
    if epsilon == "none":
        model: ts.Generator = ts.SequentialTrees(random_state=draw).fit(train)
    else:
        model = ts.PrivateMarginals(
            float(epsilon), DELTA, public, method, anyway=True, random_state=draw
        ).fit(train)
    seconds = time.process_time() - start
    synthetic = ts.Table.from_frame(model.draw(JUDGED).to_arrow(), schema=public)
    judge = ts.DiscriminatorDivergence(views=("coarse",), permutations=0, n_jobs=1)
    js = judge.evaluate(held, synthetic, train=train, random_state=draw).js_coarse
    carries = getattr(model, "carries_", None)
    return {
        "table": name,
        "n": n,
        "epsilon": str(epsilon),
        "method": method,
        "draw": draw,
        "js": js.value,
        "js low": js.low,
        "js high": js.high,
        "tstr": auc(synthetic, held, TARGETS[name]),
        "trtr": auc(train, held, TARGETS[name]),
        "n/d": "" if carries is None else float(carries.ratio),
        "pair": "" if carries is None else float(carries.of_pair),
        "fit cpu s": seconds,
        "all cpu s": time.process_time() - start,
    }


def summary() -> str:
    """Return JS and TSTR by table, method, epsilon and number of rows."""
    lines = read(RESULTS)
    shown_lines = []
    for name, method, epsilon in product(TARGETS, (*METHODS, "trees"), (*EPSILONS, "none")):
        own = {"table": name, "epsilon": str(epsilon), "method": method}
        cells = [
            _cell([r for r in lines if all(r[k] == v for k, v in {**own, "n": str(n)}.items())])
            for n in SIZES
        ]
        if any(cells):
            shown_lines.append([name, method, str(epsilon), *cells])
    head = ["table", "method", "epsilon", *(f"{n:,} rows" for n in SIZES)]
    real = "AUC of boosted trees that learn the real rows: " + "; ".join(
        f"{name} "
        + ", ".join(
            f"{mean([r for r in lines if (r['table'], r['n']) == (name, str(n))], 'trtr'):.2f}"
            for n in SIZES
        )
        for name in TARGETS
    )
    return f"{table(head, shown_lines)}\n\n{real}."


def _cell(lines: list[dict[str, str]]) -> str:
    """Return JS and TSTR of one cell, as text."""
    if not lines:
        return ""
    few = f" ({len(lines)})" if len(lines) > 1 else ""
    return f"{mean(lines, 'js'):.2f}, {mean(lines, 'tstr'):.2f}{few}"


def mean(lines: list[dict[str, str]], column: str) -> float:
    """Return the mean of a column."""
    return float(np.mean([float(line[column]) for line in lines]))


def main(arguments: list[str]) -> None:
    """Run the cells that the arguments name and that are not there yet."""
    if "summary" in arguments:
        return fill(HERE / "README.md", {"COST": summary()})
    chosen = dict(argument.split("=") for argument in arguments if "=" in argument)
    tables = [a for a in arguments if "=" not in a] or list(TARGETS)
    results = Results(RESULTS, KEYS)
    cells = [("none", "trees"), *product(EPSILONS[::-1], METHODS)]
    for draw, name, n, (epsilon, method) in product(range(DRAWS), tables, SIZES, cells):
        key = dict(zip(KEYS, (name, n, epsilon, method, draw), strict=True))
        wanted = all(str(key[k]) == v for k, v in chosen.items())
        if wanted and not results.has(**key):
            results.add(cell(name, n, epsilon, method, draw))
    return fill(HERE / "README.md", {"COST": summary()})


if __name__ == "__main__":
    main(sys.argv[1:])
