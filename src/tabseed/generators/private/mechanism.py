"""The only place where rows are touched: codes in, what OpenDP released out.

OpenDP draws all noise from a secure source that no seed reaches. Everything after its release is
arithmetic on what was released (post-processing), and costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tabseed.errors import TabseedError
from tabseed.generators.private.budget import (
    MEASURED,
    ONE_WAY,
    Parts,
    Spent,
    opendp,
)
from tabseed.table.display import counted
from tabseed.table.frames import FrameKind

AIM, MST = "aim", "mst"
METHODS = (AIM, MST)
COUNT = 0.02  # of the budget: for the number of rows
ROUNDING = 1e-9  # of the budget
ROUNDS = 2  # of AIM for each column, each some 10 s for 20 columns; the paper has 16
MEGABYTES = 2.0  # that AIM's model may take: larger ones are fitted slowly, in hours


@dataclass(frozen=True)
class Plan:
    """What is to be released: rho, by which mechanism, and up to how many columns at once."""

    rho: float
    method: str
    degree: int


@dataclass(frozen=True)
class Released:
    """What OpenDP released: noisy counts that agree with each other, of cliques of columns.

    ``cliques``: columns of each, a junction tree from its root on; ``counts``: an array for each,
    with as many axes. ``total``: the number of rows.
    """

    cliques: list[tuple[int, ...]]
    counts: list[np.ndarray]
    total: float
    ledger: list[Spent]


def release(
    codes: Sequence[np.ndarray],
    sizes: Sequence[int],
    plan: Plan,
    check: Callable[[float], None] | None,
) -> Released:
    """Release the counts of a table of codes, (n,) for each column, from 0 to its size.

    ``check`` is called, if given, with a noisy number of rows, before anything else is released,
    and may raise: then nothing else is.
    """
    dp = opendp()
    names = [f"c{j}" for j in range(len(codes))]
    if plan.method == MST and len(names) < 2:
        raise TabseedError("method='mst' needs two columns or more; for one take 'aim'")
    columns = [
        pa.array(code, mask=code == size, type=pa.int32())
        for code, size in zip(codes, sizes, strict=True)
    ]
    table = pa.table(columns, names=names)
    frame = FrameKind("pyarrow", table.schema, {}, {}).build(table, "polars")
    context = dp.Context.compositor(
        data=frame.lazy(),
        privacy_unit=dp.unit_of(contributions=1),  # one row more or less
        privacy_loss=dp.loss_of(rho=plan.rho),
    )
    ledger = []
    if check is not None:
        ledger.append(Spent("the number of rows", COUNT * plan.rho))
        rows = (
            context.query(rho=ledger[0].rho).select(dp.len(signed=True)).release().collect().item()
        )
        check(float(rows))
    rest = float(context.remaining_privacy_loss())
    found = (
        context.query(rho=rest)
        .contingency_table(
            keys={name: list(range(size)) for name, size in zip(names, sizes, strict=True)},
            algorithm=_algorithm(dp, plan, len(names)),
        )
        .release()
    )
    ledger += _ledger(found.marginals, rest, plan.method)
    cliques = _junction_tree(found.model)
    counts = [_counts(found.model, clique) for clique in cliques]
    places = [tuple(names.index(name) for name in clique) for clique in cliques]
    return Released(places, counts, float(found.model.total), ledger)


def _algorithm(dp: Any, plan: Plan, columns: int) -> Any:
    if plan.method == AIM:
        return dp.mbi.AIM(
            queries=plan.degree,
            oneway_split=ONE_WAY,
            measure_split=MEASURED,
            rounds=ROUNDS * columns,
            max_size=MEGABYTES,
        )
    parts = Parts(columns - 1)
    return dp.mbi.MST(num_selections=parts, oneway_split=ONE_WAY, measure_split=MEASURED)


def _ledger(marginals: Any, rho: float, method: str) -> list[Spent]:
    """Return what ``rho`` was spent on, by the noise of what was released.

    A count to which one row adds 1 costs 1 / (2 sd^2). The first of each column are those of all
    columns; AIM chooses each further set of columns for a fixed share of what measuring it costs,
    MST all pairs for what the rest leaves.
    """
    single = set[tuple[str, ...]]()
    columns = measured = 0.0
    sets = 0
    for count in marginals.flatten():
        cost, clique = 1 / (2 * float(count.stddev) ** 2), tuple(count.clique)
        if len(clique) == 1 and clique not in single:
            single.add(clique)
            columns += cost
        else:
            measured, sets = measured + cost, sets + 1
    left = rho - columns - measured
    choice = left if method == MST else measured * (1 - MEASURED) / MEASURED
    ledger = [
        Spent("noisy counts of each column", columns),
        Spent("choosing sets of columns", choice),
        Spent(f"noisy counts of {counted(sets, 'set')} of columns", measured),
    ]
    if left - choice > ROUNDING * rho:
        ledger.append(Spent("not spent", left - choice))
    return ledger


def _junction_tree(model: Any) -> list[tuple[str, ...]]:
    from mbi import junction_tree

    tree, _ = junction_tree.make_junction_tree(model.domain, model.cliques)
    return list(junction_tree.maximal_cliques(tree))


def _counts(model: Any, clique: tuple[str, ...]) -> np.ndarray:
    return np.asarray(model.project(clique).transpose(clique).values, dtype=np.float64)
