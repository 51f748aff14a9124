"""Changed model files of every generator: each draws sane rows, or is refused in one line.

    python -m benchmarks.hostile.models [CHANGES] [GENERATOR ...]

For each generator, CHANGES (300) copies of a small model file with one to three changes: a JSON
value replaced by one of another size, sign or type, an entry dropped or repeated; in an array NaN,
infinities, huge, negative and out-of-range numbers, other shapes and types. A raw error or warning
at ``load`` or ``sample``, more than 20 CPU seconds and rows that the schema does not know
are faults. Writes ``results/hostile_models.csv``; the first faults go to standard error.
"""

from __future__ import annotations

import copy
import csv
import json
import random
import resource
import signal
import sys
import tempfile
import traceback
import warnings
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import safetensors.numpy

from tabseed.archive import WEIGHTS, write_archive
from tabseed.errors import TabseedError
from tabseed.generators import GENERATORS, generator_class
from tabseed.saved import load
from tabseed.table import UNSEEN, Table
from tabseed.table.schema import DISCRETE

RESULTS = Path(__file__).parents[1] / "results" / "hostile_models.csv"
SECONDS, ROWS = 20, 60
NEURAL = {"vaebgm": {}, "tvae": {}, "ctgan": {}}
HEADER = ("generator", "changes", "refused", "sound", "raw errors", "warnings", "hangs", "insane")


def table(n: int = 90) -> pa.Table:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 4, n)
    return pa.table(
        {
            "x": rng.normal(size=n).round(3),
            "gap": [None if i % 9 == 0 else float(v) for i, v in enumerate(rng.normal(size=n))],
            "count": [999_999 if i % 20 == 3 else int(v) for i, v in enumerate(rng.poisson(30, n))],
            "scale": rng.integers(1, 6, n),
            "code": [f"c{k}" for k in code],
            "follows": [f"f{k // 2}" for k in code],
            "yes": rng.random(n) < 0.3,
            "day": pa.array(rng.integers(0, 20_000, n).astype(np.int32), pa.date32()),
        }
    )


def fitted(name: str) -> Any:
    cls = generator_class(name)
    settings: dict[str, Any] = {"random_state": 0}
    if name in NEURAL:
        from tabseed.generators.neural.stopping import Training

        settings |= {"n_seeds": 2, "training": Training(steps=30)}
    if name == "arf":
        settings["n_trees"] = 8
    return cls(**settings).fit(table(), target="yes")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values inside a document."""
    inside = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        inside = enumerate(value)
    return [path, *(p for key, item in inside for p in leaves(item, (*path, key)))]


STRANGE = (
    -1, 0, 1, 2, 3, 7, 1_000_000, 10**18, -(10**18), 10**30, 1e308, -1e308, 0.5, -0.5, True, False,
    None, "", "x", "nan", [], [0], [None], [[]], {}, {"a": 1}, "\x1b[31m\n",
)  # fmt: skip


def changed_document(document: Any, rng: random.Random) -> Any:
    document = copy.deepcopy(document)
    path = rng.choice([p for p in leaves(document) if p and "versions" not in p])
    owner = document
    for key in path[:-1]:
        owner = owner[key]
    value = owner[path[-1]]
    act = rng.randrange(6)
    if act == 0 and isinstance(owner, dict):
        del owner[path[-1]]
    elif act == 0:
        owner.pop(path[-1])
    elif act == 1 and isinstance(value, list) and value:
        owner[path[-1]] = rng.choice([value[1:], value + value, value[::-1], value[:1]])
    elif act == 2 and isinstance(value, int | float) and not isinstance(value, bool):
        owner[path[-1]] = rng.choice([-value, value + 1, value - 1, value * 1000, value + 0.5])
    elif act == 3 and isinstance(value, dict) and value:
        key = rng.choice(list(value))
        owner[path[-1]] = {**value, f"{key}2": value[key]}
    else:
        owner[path[-1]] = copy.deepcopy(rng.choice(STRANGE))
    return document


def changed_array(value: np.ndarray, rng: random.Random) -> np.ndarray:
    value = np.array(value)
    act = rng.randrange(10)
    if act == 0:
        return value[:0] if value.ndim else value[None]
    if act == 1:
        return value[None] if rng.random() < 0.5 else value.ravel()
    if act == 2:
        return np.ascontiguousarray(value.T if value.ndim > 1 else np.concatenate([value, value]))
    if act == 3:
        kinds = [np.float32, np.float64, np.int64, np.int32, np.int8, np.bool_, np.uint8]
        with np.errstate(all="ignore"):
            return value.astype(rng.choice(kinds))
    if act == 4:
        return value[:-1] if value.ndim and len(value) else value
    if not value.size:
        return np.zeros(3, value.dtype)
    flat = value.reshape(-1)
    at = rng.sample(range(flat.size), min(flat.size, rng.choice([1, 1, 3, 1000])))
    if value.dtype.kind == "f":
        new = rng.choice([np.nan, np.inf, -np.inf, 1e308, -1e308, 1e30, -1, 0, 1e-320, 12345.678])
    elif value.dtype.kind == "b":
        new = rng.random() < 0.5
    else:
        info = np.iinfo(value.dtype)
        new = rng.choice([-1, -2, 0, 1, 5, 1000, 10**6, info.max, info.min])
        new = min(max(new, info.min), info.max)
    with np.errstate(all="ignore"):
        flat[at] = new
    return flat.reshape(value.shape)


def members(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    with zipfile.ZipFile(path) as archive:
        documents = {n: json.loads(archive.read(f"{n}.json")) for n in ("config", "schema")}
        return documents, safetensors.numpy.load(archive.read(WEIGHTS))


def change(documents: Any, arrays: Any, rng: random.Random) -> tuple[Any, Any]:
    documents, arrays = dict(documents), dict(arrays)
    for _ in range(rng.choice([1, 1, 2, 3])):
        kind = rng.choice(["config", "config", "schema", "array", "array"])
        if kind != "array":
            documents[kind] = changed_document(documents[kind], rng)
            continue
        name = rng.choice(sorted(arrays))
        if rng.random() < 0.05:
            del arrays[name]
        else:
            arrays[name] = changed_array(arrays[name], rng)
    return documents, arrays


class Hang(BaseException):
    pass


def _late(*_: Any) -> None:
    raise Hang


def outcome(path: Path) -> tuple[str, str]:
    """Return what became of a file: a column of the results, and details of a fault."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = load(path)
            rows = model.draw(ROWS, random_state=1)
            model.draw(5)
            frame = model.sample(ROWS)
            model.summary()
            repr(model), model._repr_html_()
    except TabseedError as error:
        return ("refused", "") if str(error).isprintable() else ("raw errors", f"lines: {error!r}")
    except Warning:
        return "warnings", traceback.format_exc()
    except Hang:
        return "hangs", traceback.format_exc()
    except BaseException:
        return "raw errors", traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    del frame
    return ("sound", "") if sane(rows) else ("insane", repr(rows))


def sane(rows: Table) -> bool:
    """Return whether all cells are among the schema's values, and all numbers finite."""
    read = Table.from_frame(rows.to_arrow(), rows.schema)
    return all(
        UNSEEN not in read.codes(c.name)
        if c.kind in DISCRETE
        else not np.isinf(read.numbers(c.name)).any()
        for c in rows.schema
    )


def tried(name: str, changes: int, folder: Path) -> Counter[str]:
    path = folder / f"{name}.tabseed"
    fitted(name).save(path)
    documents, arrays = members(path)
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    for seed in range(changes):
        new = change(documents, arrays, random.Random(f"{name} {seed}"))
        target = folder / "changed.tabseed"
        write_archive(target, *new, force=True)
        what, details = outcome(target)
        counts[what] += 1
        last = "\n".join(details.strip().splitlines()[-4:])
        if details and last not in seen:
            seen.add(last)
            print(f"--- {name} {seed} {what}\n{details[-1500:]}", file=sys.stderr, flush=True)
    return counts


def main() -> None:
    arguments = sys.argv[1:]
    changes = int(arguments[0]) if arguments else 300
    resource.setrlimit(resource.RLIMIT_AS, (2**34, 2**34))
    signal.signal(signal.SIGPROF, _late)
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments[1:] or GENERATORS:
            counts = tried(name, changes, Path(folder))
            lines.append([name, changes, *(counts[column] for column in HEADER[2:])])
            print(*lines[-1], flush=True)
    if len(lines) == len(GENERATORS):
        with RESULTS.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([HEADER, *lines])


if __name__ == "__main__":
    main()
