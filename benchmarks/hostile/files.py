"""Damaged table files of every binary format: each is read in full, or refused in one line.

    python -m benchmarks.hostile.files [FLIPS]

FLIPS (200) copies of each file with one to four flipped bits, half of them among its first or last
2,000 bytes, where formats keep their headers. Each is read, described and drawn from by
``tabseed synth`` in a process of its own. Faults: a signal, a traceback, an "internal error", more
than 60 s, more than 3 GiB. Writes ``results/hostile_files.csv``.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import importlib
import io
import os
import random
import resource
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tabseed.cli import app
from tabseed.cli.console import run
from tabseed.table.files import write_table

RESULTS = Path(__file__).parents[1] / "results" / "hostile_files.csv"
HEADER = ("file", "flips", "read", "refused", "raw errors", "signals", "hangs", "most MiB")
SECONDS, EDGE = 60, 2_000


def table(n: int = 200) -> pa.Table:
    rng = np.random.default_rng(0)
    return pa.table(
        {
            "text": [f"v{i % 7}" if i % 11 else None for i in range(n)],
            "long": [f"cell number {i % 40} of a text" for i in range(n)],
            "x": rng.normal(size=n),
            "gap": [None if i % 9 == 0 else float(v) for i, v in enumerate(rng.normal(size=n))],
            "level": pa.array([f"c{i % 5}" for i in range(n)]).dictionary_encode(),
            "count": rng.poisson(30, n),
            "yes": [True, False, None, True] * (n // 4),
            "day": pa.array(rng.integers(0, 20_000, n).astype(np.int32), pa.date32()),
            "stamp": pa.array(rng.integers(0, 10**15, n), pa.timestamp("us", "UTC")),
            "list": [[1, 2], [3], None, []] * (n // 4),
        }
    )


def files(folder: Path) -> list[Path]:
    made = []
    for compression in (None, "lz4", "zstd"):
        path = folder / f"{compression or 'plain'}.feather"
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with pa.ipc.new_file(str(path), table().schema, options=options) as writer:
            writer.write_table(table())
        made.append(path)
    stream = folder / "stream.arrow"
    with pa.ipc.new_stream(str(stream), table().schema) as writer:
        writer.write_table(table())
    for compression in ("none", "snappy", "zstd"):
        path = folder / f"{compression}.parquet"
        pq.write_table(table(), path, compression=compression)
        made.append(path)
    text = table().drop_columns(["list"])
    write_table(text, folder / "t.csv")
    zipped = folder / "t.csv.gz"
    zipped.write_bytes(gzip.compress((folder / "t.csv").read_bytes(), mtime=0))
    return [*made, stream, folder / "t.csv", zipped]


def flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        near = rng.randrange(min(EDGE, len(data)))
        at = rng.choice([near, len(data) - 1 - near, *[rng.randrange(len(data))] * 2])
        changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed)


def attempt(path: Path, out: Path, errors: Path) -> None:
    """Run the command and end this process: 0 read, 1 raw, 2 refused."""
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(SECONDS)
        stream = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(stream):
            for arguments in (["info"], ["synth", "-o", out, "--force", "--generator", "resample"]):
                code = run(app, [str(a) for a in (arguments[0], path, *arguments[1:])])
                if code:
                    break
        said = stream.getvalue()
        errors.write_text(said)
        if code == 2 and (said.count("error: ") != 1 or not said.rstrip("\n").split("\n")[-1]):
            code = 1
    except BaseException as error:
        errors.write_text(f"raw: {error!r}")
        code = 1
    finally:
        os._exit(code)


def tried(path: Path, flips: int, folder: Path) -> list[object]:
    data, counts, most = path.read_bytes(), Counter[str](), 0
    target, errors = folder / f"flipped-{path.name}", folder / "errors"
    for seed in range(flips):
        target.write_bytes(flipped(data, random.Random(f"{path.name} {seed}")))
        child = os.fork()
        if child == 0:
            attempt(target, folder / "out.parquet", errors)
        _, status, used = os.wait4(child, 0)
        most = max(most, used.ru_maxrss >> 10)
        if os.WIFSIGNALED(status):
            what = "hangs" if os.WTERMSIG(status) == signal.SIGALRM else "signals"
        else:
            what = {0: "read", 2: "refused"}.get(os.WEXITSTATUS(status), "raw errors")
        counts[what] += 1
        if what not in ("read", "refused"):
            said = errors.read_text()[-300:] if errors.exists() else ""
            print(f"--- {path.name} {seed} {what} {said!r}", file=sys.stderr, flush=True)
    return [path.name, flips, *(counts[name] for name in HEADER[2:-1]), most]


def warm() -> None:
    """Import what each process would import again; nothing runs that starts threads."""
    for name in ("rich.console", "rich.table", "rich.progress", "tabseed.generators.resample"):
        importlib.import_module(name)


def main() -> None:
    warm()
    flips = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as name:
        folder, lines = Path(name), []
        for path in files(folder):
            lines.append(tried(path, flips, folder))
            print(*lines[-1], flush=True)
    with RESULTS.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *lines])


if __name__ == "__main__":
    main()
