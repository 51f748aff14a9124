"""How often does membership inference alarm where nothing leaks, and catch what does?

``TABSEED_DATA=... python -m benchmarks.privacy_power [null] [caught] [shadow] [trees] [summary]``
writes ``results/privacy_power.csv``, a line for each run, and prints the summary. An interrupted
run goes on where it stopped; ``--draws N`` does only the first N of each. Roughly, on one core: 12
minutes for ``null``, 12 for ``caught`` (the file has 25 of its 50 draws), 6 for ``shadow`` and 6
for ``trees``.

null: synthetic rows are 1,000 other real rows, so nothing leaks. 400 draws of 57 + 40, 150 + 100
and 300 + 200 training and held-out rows, half of each table. Alarms of the verdict and of each
attack at 5 %.

caught: a generator that leaks. "half": 500 of the 1,000 rows repeat one half of the training rows,
the others are real rows. "resample", "smote": the package's own. "five": it repeats the five most
exposed of 300 training rows, 20 times each, beside 900 real rows, with 200, 300, 600 and 900
held-out rows: by chance the five rows that an attack is surest of are all training rows with
probability 0.08, 0.03, 0.004 and 0.001, so with few held-out rows no attack can show by them alone
that they were known. Beside it stands whether copies are counted beyond chance (count_copies).

shadow: the same generator of five rows, given as ``refit``, with 200 held-out rows; and one that
draws real rows whatever it learned.

trees: 300 + 300 rows and trees, forest and copula: the AUC of every attack, with the likelihood of
the generator where it has one.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from scipy.spatial.distance import cdist  # noqa: E402

import tabseed as ts  # noqa: E402
from experiments.common.data import DATA  # noqa: E402
from experiments.common.results import Results, Row, read  # noqa: E402
from tabseed.coding.points import Features  # noqa: E402
from tabseed.metrics.copies import Copies, count_copies  # noqa: E402
from tabseed.privacy.membership_result import MembershipResult  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "privacy_power.csv"
TABLES = ("adult", "king")
IDS = {"king": ["id", "date"]}
SIZES = ((57, 40), (150, 100), (300, 200))
NULL_DRAWS, CAUGHT_DRAWS, SHADOW_DRAWS, TREE_DRAWS = 200, 50, 10, 20  # of each table
DRAWN = 1_000  # synthetic rows
BESIDE_FIVE = (200, 300, 600, 900)
FIVE, TIMES, NEIGHBOURS = 5, 20, 5
GENERATORS: dict[str, Callable[[int], ts.Generator]] = {
    "trees": lambda seed: ts.SequentialTrees(random_state=seed),
    "forest": lambda seed: ts.AdversarialForest(random_state=seed),
    "copula": lambda seed: ts.GaussianCopula(random_state=seed),
    "resample": lambda seed: ts.Resample(random_state=seed),
    "smote": lambda seed: ts.SMOTE(random_state=seed),
}
SEED = 1_811
FIRST = {"null": 10_000, "caught": 20_000, "shadow": 30_000, "trees": 40_000}  # draws of a part


@lru_cache
def table(name: str) -> ts.Table:
    return ts.Table.from_frame(
        pq.read_table(DATA / f"{name}.parquet").drop_columns(IDS.get(name, []))
    )


def rows(name: str, draw: int, *sizes: int) -> Iterator[ts.Table]:
    """Yield disjoint parts of a table, in random order."""
    order = np.random.default_rng([SEED, draw]).permutation(len(table(name)))
    for part in np.split(order, np.cumsum(sizes))[: len(sizes)]:
        yield table(name).take(part)


def stacked(*parts: ts.Table) -> ts.Table:
    return ts.Table.from_frame(
        pa.concat_tables([part.to_arrow() for part in parts]), schema=parts[0].schema
    )


def most_exposed(train: ts.Table) -> np.ndarray:
    """Return the rows farthest from their five nearest others."""
    points = Features().fit_transform(train)
    distances = np.sort(cdist(points, points), axis=1)[:, 1 : 1 + NEIGHBOURS]
    return np.argsort(-distances.mean(axis=1), kind="stable")[:FIVE]


def repeats_five(train: ts.Table, fresh: ts.Table) -> ts.Table:
    """Return fresh rows and, 20 times each, the five most exposed training rows."""
    return stacked(fresh, train.take(np.repeat(most_exposed(train), TIMES)))


def line(part: str, name: str, kind: str, sizes: tuple[int, int], draw: int) -> Row:
    return {"part": part, "table": name, "generator": kind, "train": sizes[0],
            "holdout": sizes[1], "draw": draw}  # fmt: skip


def answer(result: MembershipResult, copies: Copies | None = None) -> Row:
    """Return the p-values, copies, and of each attack the AUC and both p-values."""
    cells: Row = {
        "p": result.p_value,
        "p labels": result.p_labels,
        "p shadow": "" if result.shadow is None else result.shadow.p_value,
        "strongest": result.strongest,
        "scope": result.scope,
        "auc": result.headline.value,
        "at least": result.at_least,
        "epsilon": result.epsilon.at_least,
        "copies": "" if copies is None else bool(copies.verdict),
    }
    attacks = [
        f"{a.name}:{a.auc.value:.4f}:{a.p_value:.4f}:{a.p_exposed:.4f}" for a in result.attacks
    ]
    return {**cells, "attacks": " ".join(a.replace(" ", "_") for a in attacks)}


def null(name: str, sizes: tuple[int, int], draw: int) -> Row:
    train, holdout, synthetic = rows(name, draw, *sizes, DRAWN)
    result = ts.MembershipInference().evaluate(train, synthetic, holdout, random_state=draw)
    return line("null", name, "real", sizes, draw) | answer(result)


def caught(name: str, kind: str, sizes: tuple[int, int], draw: int) -> Row:
    train, holdout, fresh = rows(name, draw, *sizes, DRAWN)
    rng = np.random.default_rng([SEED, draw, 1])
    if kind == "half":
        half = rng.permutation(len(train))[: len(train) // 2]
        known = train.take(rng.choice(half, DRAWN // 2))
        synthetic = stacked(fresh.take(np.arange(DRAWN // 2)), known)
    elif kind == "five":
        synthetic = repeats_five(train, fresh.take(np.arange(DRAWN - FIVE * TIMES)))
    else:
        synthetic = GENERATORS[kind](draw).fit(train).draw(DRAWN)
    result = ts.MembershipInference().evaluate(train, synthetic, holdout, random_state=draw)
    copies = count_copies(train, synthetic, holdout)
    return line("caught", name, kind, sizes, draw) | answer(result, copies)


def shadow(name: str, kind: str, draw: int) -> Row:
    sizes = (300, BESIDE_FIVE[0])
    train, holdout, fresh = rows(name, draw, *sizes, DRAWN - FIVE * TIMES)
    others = np.random.default_rng([SEED, draw]).permutation(len(table(name)))[sum(sizes) :]

    def refit(learned: ts.Table, stream: np.random.SeedSequence) -> ts.Table:
        rng = np.random.default_rng(stream)
        new = table(name).take(rng.choice(others, len(fresh), replace=False))
        return repeats_five(learned, new) if kind == "five" else new

    synthetic = repeats_five(train, fresh) if kind == "five" else fresh
    result = ts.MembershipInference().evaluate(
        train, synthetic, holdout, random_state=draw, refit=refit
    )
    return line("shadow", name, kind, sizes, draw) | answer(result)


def trees(name: str, kind: str, draw: int) -> Row:
    sizes = (300, 300)
    train, holdout = rows(name, draw, *sizes)
    model = GENERATORS[kind](draw).fit(train)
    result = ts.MembershipInference().evaluate(
        train,
        model.draw(DRAWN),
        holdout,
        random_state=draw,
        likelihood=getattr(model, "log_likelihood", None),
    )
    return line("trees", name, kind, sizes, draw) | answer(result)


def runs(parts: list[str], most: int) -> Iterator[tuple[Row, Callable[[], Row]]]:
    """Yield the key of each run and how it is made, every kind before the next draw."""
    settings = {
        "null": [("real", sizes) for sizes in SIZES],
        "caught": [
            *(("half", sizes) for sizes in SIZES),
            *((kind, sizes) for kind in ("resample", "smote") for sizes in SIZES),
            *(("five", (300, h)) for h in BESIDE_FIVE),
        ],
        "shadow": [(kind, (300, BESIDE_FIVE[0])) for kind in ("five", "real")],
        "trees": [(kind, (300, 300)) for kind in ("trees", "forest", "copula")],
    }
    draws = {
        "null": NULL_DRAWS,
        "caught": CAUGHT_DRAWS,
        "shadow": SHADOW_DRAWS,
        "trees": TREE_DRAWS,
    }
    for part in parts:
        for index in range(min(most, draws[part])):
            draw = FIRST[part] + index
            for name in TABLES:
                for kind, sizes in settings[part]:
                    make = {
                        "null": lambda n=name, s=sizes, d=draw: null(n, s, d),
                        "caught": lambda n=name, k=kind, s=sizes, d=draw: caught(n, k, s, d),
                        "shadow": lambda n=name, k=kind, d=draw: shadow(n, k, d),
                        "trees": lambda n=name, k=kind, d=draw: trees(n, k, d),
                    }
                    yield line(part, name, kind, sizes, draw), make[part]


def attacks_of(row: dict[str, str]) -> Iterator[tuple[str, float, float]]:
    """Yield each attack of a line: its name, AUC and p-value over all rows."""
    for text in row["attacks"].split():
        name, auc, p, _ = text.split(":")
        yield name, float(auc), float(p)


def summary() -> None:
    """Print shares of runs with a verdict, and of each attack, with a p-value of at most 5 %."""
    groups = defaultdict(list)
    for row in read(RESULTS):
        tables = "" if row["part"] != "trees" else row["table"] + " "
        group = f"{row['part']} {tables}{row['generator']} {row['train']} + {row['holdout']}"
        groups[group].append(row)
    for group, those in groups.items():
        alarms = sum(float(row["p"]) <= 0.05 for row in those)
        copied = sum(row["copies"] == "True" for row in those)
        above = sum(float(row["at least"]) > 0.5 for row in those)
        print(
            f"{group}: told {alarms} of {len(those)} ({100 * alarms / len(those):.1f} %), "
            f"copies in {copied}, lower end of the AUC above 0.5 in {above}"
        )
        found = defaultdict(list)
        for row in those:
            for name, auc, p in attacks_of(row):
                found[name].append((auc, p <= 0.05))
        print("   " + "; ".join(
            f"{name} {np.mean([auc for auc, _ in values]):.3f} "
            f"({100 * np.mean([told for _, told in values]):.1f} %)"
            for name, values in found.items()
        ))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=[*FIRST])
    parser.add_argument("--draws", type=int, default=NULL_DRAWS)
    chosen = parser.parse_args()
    results = Results(RESULTS, ("part", "table", "generator", "train", "holdout", "draw"))
    for key, make in runs([p for p in chosen.parts if p in FIRST], chosen.draws):
        if not results.has(**key):
            results.add(make())
    summary()


if __name__ == "__main__":
    main()
