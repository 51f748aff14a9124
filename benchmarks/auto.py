"""Does the race choose well, does it keep still on noise, and does it survive being killed?

``TABSEED_DATA=... python -m benchmarks.auto [race] [noise] [killed] [summary]`` writes
``results/auto.csv``, a line for each run, and prints the summary; an interrupted run goes on where
it stopped, and ``--draws N`` does only the first N.

race: ten tables, three draws of 57 to 1,000 rows each; up to 4,000 others judge, which no candidate
and no fold saw. Every candidate alone and Auto (goal "share") learn the same rows: JS of 4,000 rows
(of as many as are held out) in both views, and what three models lose by learning 4,000 synthetic
rows instead of the real ones.

noise: independent columns, 60 to 300 rows; ``auto --goal augment`` decides on rows of its own
holdout. Counted: how often it recommends synthetic rows. At most 5 of 100 if it keeps still.

killed: ``tabseed auto --resume`` killed at a random moment and the same command started again until
it ends; table, model and decision must be those of an undisturbed run, byte for byte. Said: whether
they are, how often it was killed, and how often of these after the race, while it judged.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.csv  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

import tabseed as ts  # noqa: E402
from experiments.common.data import DATA  # noqa: E402
from experiments.common.draws import JUDGE, by_judge  # noqa: E402
from experiments.common.jobs import run_jobs  # noqa: E402
from experiments.common.results import Results, Row, read, shown  # noqa: E402
from tabseed.auto.candidates import default_candidates  # noqa: E402
from tabseed.metrics.usefulness import costs_of_use  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "auto.csv"
TARGETS = {
    "adult": ("income", 300),
    "king": ("price", 300),
    "heart_cleveland": ("num", 150),
    "breast_cancer_wdbc": ("diagnosis", 284),
    "penguins": ("species", 170),
    "german_credit": ("class", 500),
    "insurance": ("charges", 300),
    "diabetes_pima": ("class", 100),
    "support2": ("hospdead", 1_000),
    "credit_card": ("Y", 57),
}
OURS = "auto"
RESUME = ("--resume", "race")
OUTPUTS = ("o.csv", "m.tabseed", "d.html")
DRAWS, NOISE, KILLED, HELD, SEED = 3, 100, 20, 4_000, 2_020
KEYS = ("part", "table", "draw", "generator")
JUDGES = ("plain trees", "plain mlp", "coarse trees", "coarse mlp")
FIELDS = ("n", "held", "plain", "coarse", "cost", "cost low", "cost high", "seconds", "said")


def rows(name: str, draw: int) -> tuple[ts.Table, ts.Table]:
    """Return the rows that learn and those that judge."""
    _, n = TARGETS[name]
    table = ts.Table.from_frame(pq.read_table(DATA / f"{name}.parquet"))
    table = table.select(table.schema.modelled)
    order = np.random.default_rng([SEED, draw]).permutation(len(table))
    train = table.take(order[:n])
    return train, table.take(order[n : n + HELD])


def made(name: str, generator: str, draw: int) -> ts.Generator:
    target, n = TARGETS[name]
    if generator == OURS:
        return ts.Auto(random_state=draw)
    return default_candidates("share", n, target)[generator].set_params(random_state=draw)


def race(name: str, generator: str, draw: int) -> Row:
    """Learn, draw and judge."""
    train, held = rows(name, draw)
    target = TARGETS[name][0]
    began = time.perf_counter()
    model = made(name, generator, draw).fit(train, target=target)
    synthetic = model.draw(HELD)
    seconds = round(time.perf_counter() - began, 2)
    result = JUDGE.evaluate(held, synthetic.take(np.arange(len(held))), random_state=draw)
    stream = np.random.SeedSequence([SEED, draw])
    (cost,) = costs_of_use(train, [synthetic], held, target, stream)
    said = model.summary()[0] if generator == OURS else ""
    return {
        "part": "race", "table": name, "draw": draw, "generator": generator,
        "n": len(train), "held": len(held),
        "plain": result.js.value, "coarse": result.js_coarse.value,
        "cost": cost.cost.value, "cost low": cost.cost.low, "cost high": cost.cost.high,
        "seconds": seconds, "said": said, **by_judge(result),
    }  # fmt: skip


def noise(draw: int) -> Row:
    """Ask whether to augment a table of independent columns, and say what was answered."""
    rng = np.random.default_rng([SEED, 1, draw])
    n = int(rng.choice([60, 100, 200, 300]))
    numbers = {f"x{j}": rng.normal(size=n) for j in range(int(rng.integers(2, 6)))}
    levels = {f"c{j}": rng.choice(["a", "b", "c"], n) for j in range(int(rng.integers(1, 4)))}
    table = pa.table(numbers | levels | {"y": rng.choice(["yes", "no"], n, p=[0.3, 0.7])})
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        pa.csv.write_csv(table, home / "t.csv")
        began = time.perf_counter()
        run = _auto(home, "--goal", "augment", "--target", "y", "--json")
        answer = "use" if '"answer": "use"' in run.stdout else "do not use"
        assert '"answer": ' in run.stdout, run.stderr
    line: Row = dict.fromkeys(FIELDS, "")
    return line | {
        "part": "noise", "table": "", "draw": draw, "generator": OURS, "n": n,
        "seconds": round(time.perf_counter() - began, 2), "said": answer,
    }  # fmt: skip


def _auto(home: Path, *more: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    table, model, decision = OUTPUTS
    outputs = ("-o", table, "--model", model, "--decision", decision)
    command = [sys.executable, "-m", "tabseed", "auto", "t.csv", *outputs, *more]
    return subprocess.run(
        command, cwd=home, capture_output=True, text=True, timeout=timeout, check=False
    )


def _files(home: Path) -> list[bytes]:
    return [(home / name).read_bytes() for name in OUTPUTS]


def _small(home: Path) -> int:
    train = rows("heart_cleveland", 0)[0].take(np.arange(100))
    pa.csv.write_csv(train.to_arrow(), home / "t.csv")
    return len(train)


@lru_cache(maxsize=1)
def undisturbed() -> tuple[list[bytes], float]:
    """Return the bytes of an undisturbed run, and how long it took."""
    with tempfile.TemporaryDirectory() as folder:
        _small(Path(folder))
        began = time.perf_counter()
        assert _auto(Path(folder), *RESUME).returncode == 0
        return _files(Path(folder)), time.perf_counter() - began


def killed(draw: int) -> Row:
    """Kill a run at a random moment, again and again; return whether its bytes are the same."""
    whole, took = undisturbed()
    rng = np.random.default_rng([SEED, 2, draw])
    kills = late = 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        n = _small(home)
        while True:
            try:
                run = _auto(home, *RESUME, timeout=float(rng.uniform(0.05, 0.9)) * took)
            except subprocess.TimeoutExpired as error:  # which ends the process by SIGKILL
                kills += 1
                late += b"chosen" in (error.stdout or b"")
                if all((home / name).exists() for name in OUTPUTS) and not (home / "race").exists():
                    break  # all was done, and its state gone, just before it was killed
                continue
            assert run.returncode == 0, run.stderr
            break
        same = _files(home) == whole
    line: Row = dict.fromkeys(FIELDS, "")
    said = f"{'same' if same else 'other'} {kills} {late}"
    return line | {
        "part": "killed", "table": "", "draw": draw, "generator": OURS,
        "n": n, "seconds": round(took, 2), "said": said,
    }  # fmt: skip


def figures(part: str, name: str, draw: int, generator: str) -> Row:
    """Return what a run measured."""
    row = {"noise": lambda: noise(draw), "killed": lambda: killed(draw)}.get(
        part, lambda: race(name, generator, draw)
    )()
    return {field: row.get(field, "") for field in (*FIELDS, *JUDGES)}


def jobs(parts: list[str], most: int) -> list[tuple[str, str, int, str]]:
    """Return the runs, by their keys."""
    found = []
    for draw in range(min(DRAWS, most) if "race" in parts else 0):
        for name, (target, n) in TARGETS.items():
            generators = (*default_candidates("share", n, target), OURS)
            found += [("race", name, draw, generator) for generator in generators]
    for part, count in (("noise", NOISE), ("killed", KILLED)):
        found += [
            (part, "", draw, OURS) for draw in range(min(count, most) if part in parts else 0)
        ]
    return found


def summary() -> None:
    """Print Auto beside the best single generator of each table, and both counts."""
    tables = defaultdict(lambda: defaultdict(list))
    for row in read(RESULTS):
        if row["part"] == "race":
            tables[row["table"]][row["generator"]].append(
                (float(row["coarse"]), float(row["cost"]))
            )
    good = {"coarse JS": 0, "cost": 0}
    for name, by in tables.items():
        told = {g: np.array(v) for g, v in by.items()}
        singles = {g: v for g, v in told.items() if g != OURS}
        text = [name]
        for at, measure in enumerate(good):
            best = min(singles, key=lambda g: singles[g][:, at].mean())
            own, other = told[OURS][:, at], singles[best][:, at]
            text.append(
                f"{measure}: best {best} {shown(other.tolist())}, {OURS} {shown(own.tolist())}"
            )
            if len(own) == len(other) > 1:
                gap = own - other
                good[measure] += bool(gap.mean() <= gap.std(ddof=1) / len(gap) ** 0.5)
        print("; ".join(text))
    for measure, count in good.items():
        print(f"Auto at most a standard error worse in {measure}: {count} of {len(tables)} tables")
    others = read(RESULTS)
    took = [float(row["seconds"]) for row in others if row["generator"] == OURS and row["table"]]
    print(f"seconds of Auto: mean {np.mean(took):.0f}, most {max(took):.0f}")
    said = [row["said"] for row in others if row["part"] == "noise"]
    print(f"noise: {said.count('use')} of {len(said)} recommend synthetic rows")
    ends = [row["said"].split() for row in others if row["part"] == "killed"]
    same = sum(e[0] == "same" for e in ends)
    kills, late = (sum(int(e[at]) for e in ends) for at in (1, 2))
    print(
        f"killed: {same} of {len(ends)} end with the same bytes, after {kills} kills, "
        f"{late} of them while it judged"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=["race", "noise", "killed"])
    parser.add_argument("--draws", type=int, default=NOISE)
    chosen = parser.parse_args()
    from benchmarks.auto import figures as work  # by a name that other processes can import

    run_jobs(Results(RESULTS, KEYS), jobs(chosen.parts, chosen.draws), work)
    summary()


if __name__ == "__main__":
    main()
