"""Attribute disclosure: false alarms, what is caught; and the strongest AUC by generator.

``TABSEED_DATA=... python -m benchmarks.disclosure [null] [catch] [generators] [summary]`` writes
``results/disclosure.csv``, a line for each draw, and prints the summary. An interrupted run goes on
where it stopped, and ``--draws N`` (30 if not given) asks for more.

null: n training and n other rows of Adult, and 1,000 rows that neither knows, as synthetic rows:
nothing can leak. ``told``: whether ``AttributeDisclosure`` says that training rows are disclosed
(sensitive: income and hours of work; keys: three named columns, or chosen).

catch: 200 training and 150 other rows, 600 synthetic rows of a generator; "half" is no generator:
half of the training rows, each once, among as many rows that are new.

generators: 170 training and 130 other rows; ``auc`` is that of the strongest of all attacks of
``MembershipInference``, by generator and number of synthetic rows: what the advice of
``PrivacyReport`` rests on. A fifth of the draws of the other parts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

import tabseed as ts  # noqa: E402
from experiments.common.data import DATA  # noqa: E402
from experiments.common.results import Results, Row, read  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "disclosure.csv"
SENSITIVE = ["income", "hours-per-week"]
KEYS = {"named": ["age", "sex", "education"], "chosen": None}
NULL_SIZES, FRESH = (57, 150, 300), 1_000
CAUGHT, CAUGHT_ROWS = (200, 150), 600
TABLES, ATTACKED = ("heart_cleveland", "insurance", "diabetes_pima"), (170, 130)
GENERATORS: dict[str, Callable[[], ts.Generator]] = {
    "resample": lambda: ts.Resample(random_state=0),
    "smote": lambda: ts.SMOTE(random_state=0),
    "trees": lambda: ts.SequentialTrees(random_state=0),
    "trees, leaves of 30": lambda: ts.SequentialTrees(min_leaf=30, random_state=0),
    "copula": lambda: ts.GaussianCopula(random_state=0),
}
COMPARED = (
    ("trees", 1_000), ("trees", 170), ("trees, leaves of 30", 1_000), ("copula", 1_000),
)  # fmt: skip
SEED = 1_801


@lru_cache
def table(name: str) -> ts.Table:
    return ts.Table.from_frame(pq.read_table(DATA / f"{name}.parquet"))


def parts(name: str, draw: int, sizes: tuple[int, ...]) -> list[ts.Table]:
    """Return disjoint rows of a table, in random order."""
    whole = table(name)
    order = np.random.default_rng([SEED, draw]).permutation(len(whole))
    return [whole.take(rows) for rows in np.split(order, np.cumsum(sizes))[: len(sizes)]]


def asked(train: ts.Table, synthetic: ts.Table, others: ts.Table, keys: str) -> Row:
    """Return what attribute disclosure says."""
    ask = ts.AttributeDisclosure(SENSITIVE, KEYS[keys])
    attack = ask.evaluate(train, synthetic, others).strongest
    return {"told": attack.disclosed, "by": f"{attack.column} {attack.how}", "p": attack.p}


def null(size: int, keys: str, draw: int) -> Row:
    train, others, fresh = parts("adult", draw, (size, size, FRESH))
    key = {"part": "null", "table": "adult", "rows from": "real", "n": size, "keys": keys}
    return key | {"draw": draw} | asked(train, fresh, others, keys) | {"auc": ""}


def catch(kind: str, keys: str, draw: int) -> Row:
    train, others, fresh = parts("adult", draw, (*CAUGHT, CAUGHT[0] // 2))
    if kind == "half":
        half = train.take(range(CAUGHT[0] // 2))
        mixed = pa.concat_tables([half.to_arrow(), fresh.to_arrow()])
        synthetic = ts.Table.from_frame(mixed, schema=train.schema)
    else:
        synthetic = GENERATORS[kind]().fit(train).draw(CAUGHT_ROWS, random_state=draw)
    key = {"part": "catch", "table": "adult", "rows from": kind, "n": CAUGHT[0], "keys": keys}
    return key | {"draw": draw} | asked(train, synthetic, others, keys) | {"auc": ""}


def compared(name: str, kind: str, m: int, draw: int) -> Row:
    train, others = parts(name, draw, ATTACKED)
    synthetic = GENERATORS[kind]().fit(train).draw(m, random_state=draw)
    found = ts.MembershipInference().evaluate(train, synthetic, others)
    auc = max(attack.auc.value for attack in found.attacks)
    return {
        "part": "generators",
        "table": name,
        "rows from": kind,
        "n": m,
        "keys": "",
        "draw": draw,
        "told": found.leaks,
        "by": found.strongest,
        "p": found.p_value,
        "auc": auc,
    }


def summary() -> None:
    """Print how often training rows were told, and the mean AUC by generator."""
    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for line in read(RESULTS):
        pooled = "all tables" if line["part"] == "generators" else line["keys"]
        groups.setdefault((line["part"], line["rows from"], line["n"], pooled), []).append(line)
    for (part, kind, n, what), lines in groups.items():
        told = sum(line["told"] == "True" for line in lines)
        text = f"{part}: {kind}, {n} rows, {what}: told in {told} of {len(lines)}"
        if part == "generators":
            text += f", AUC {np.mean([float(line['auc']) for line in lines]):.3f}"
        print(text)


def main(arguments: list[str]) -> None:
    draws = int(arguments[arguments.index("--draws") + 1]) if "--draws" in arguments else 30
    results = Results(RESULTS, ("part", "table", "rows from", "n", "keys", "draw"))

    def once(key: Row, work: Callable[[], Row]) -> None:
        if not results.has(**key):
            results.add(work())

    for draw in range(draws):
        for keys in KEYS:
            for size in NULL_SIZES if "null" in arguments else ():
                key = {"part": "null", "n": size, "keys": keys, "draw": draw}
                once(key, lambda k=keys, s=size, d=draw: null(s, k, d))
            for kind in (*GENERATORS, "half") if "catch" in arguments else ():
                key = {"part": "catch", "rows from": kind, "keys": keys, "draw": draw}
                once(key, lambda k=keys, g=kind, d=draw: catch(g, k, d))
        if "generators" in arguments and draw < draws // 5:
            for name in TABLES:
                for kind, m in COMPARED:
                    key = {"part": "generators", "table": name, "rows from": kind, "n": m,
                           "draw": draw}  # fmt: skip
                    once(key, lambda t=name, g=kind, m=m, d=draw: compared(t, g, m, d))
    if "summary" in arguments:
        summary()


if __name__ == "__main__":
    main(sys.argv[1:] or ["null", "catch", "generators", "summary"])
