"""Blend's criteria and teachers side by side.

``TABSEED_DATA=... python -m benchmarks.blend [summary]`` writes ``results/blend.csv``, a line for
each table and draw, and prints the summary; an interrupted run goes on. Rows, judge and members are
those of ``benchmarks/generators`` (N = 300 at most). Coarse JS of: the members' best, trees; Blend
by each criterion; Blend whose network learned rows of trees first instead of being a mixture of ten
seeds; that network by itself; and a network taught by the Blend of the others.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402

import tabseed as ts  # noqa: E402
from benchmarks.generators.judge import divergence  # noqa: E402
from benchmarks.generators.tables import GENERATED, LARGE, SMALL, cases, rows_of  # noqa: E402
from experiments.common.draws import N  # noqa: E402
from experiments.common.jobs import run_jobs  # noqa: E402
from experiments.common.results import Results, Row, read, shown  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "blend.csv"
DRAWS = 2


def arms(seed: int) -> dict[str, ts.Generator]:
    """Return the generators by name."""
    families = [ts.SequentialTrees(), ts.GaussianCopula(), ts.AdversarialForest()]
    taught = ts.Pretraining(teacher=ts.SequentialTrees())
    network = ts.FineTuned(ts.VAEBGM(), taught)
    by_blend = ts.Pretraining(teacher=ts.Blend(families))
    made = {
        "trees": ts.SequentialTrees(),
        "blend, ratio": ts.Blend(),
        "blend, likelihood": ts.Blend(criterion="likelihood"),
        "blend with a taught network": ts.Blend([*families, network]),
        "network taught by trees": network,
        "network taught by a blend": ts.FineTuned(ts.VAEBGM(), by_blend),
    }
    return {name: model.set_params(random_state=seed) for name, model in made.items()}


def figures(table: str, draw: int, arm: str) -> Row:
    """Return the coarse and plain JS of an arm, and what a Blend says of its weights."""
    (case,) = (c for c in cases((table,)) if c.draw == draw and c.n <= N)
    rows = rows_of(case)
    model = arms(draw)[arm].fit(rows.train)
    drawn = ts.Table.from_frame(model.sample(GENERATED), schema=rows.train.schema)
    judged = divergence(case, rows, drawn)
    said = model.summary()[0] if isinstance(model, ts.Blend) else ""
    return {"plain": judged["plain"], "coarse": judged["coarse"], "said": said}


def summary() -> None:
    """Print the means of each arm by table."""
    found = defaultdict(lambda: defaultdict(list))
    for row in read(RESULTS):
        found[row["table"]][row["arm"]].append(float(row["coarse"]))
    for table, by in found.items():
        print(table, "; ".join(f"{arm} {shown(values)}" for arm, values in by.items()))
    every = [arm for arm in arms(0) if all(arm in by for by in found.values())]
    for arm in every:
        print(f"mean over tables: {arm} {np.mean([np.mean(by[arm]) for by in found.values()]):.3f}")


def main(arguments: list[str]) -> None:
    """Run what is missing, then print the summary."""
    from benchmarks.blend import figures as work  # by a name that other processes can import

    if arguments != ["summary"]:
        names = (*LARGE, *SMALL[:2])
        jobs = [(t, d, arm) for d in range(DRAWS) for t in names for arm in arms(0)]
        run_jobs(Results(RESULTS, ("table", "draw", "arm")), jobs, work)
    summary()


if __name__ == "__main__":
    main(sys.argv[1:])
