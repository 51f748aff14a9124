"""Fit and draw, one generator and process at a time; tables and records go to ``.work``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass

from benchmarks.environments import environment
from benchmarks.generators import ours
from benchmarks.generators.tables import GENERATED, HERE, Case, write_training
from experiments.common.draws import N

LIMIT = 3 * 3600  # seconds for one fit; after that it counts as failed


@dataclass(frozen=True)
class Peer:
    """The script and environment of a peer, extra arguments, threads at N = 10,000."""

    name: str
    arguments: tuple[str, ...] = ()
    threads: int = 1
    only_few: bool = False


PEERS = {
    "arfpy": Peer("arfpy"),
    "python-synthpop": Peer("synthpop"),
    "python-synthpop, as documented": Peer("synthpop", ("documented",)),
    "synthyverse SynthpopGenerator": Peer("synthyverse", only_few=True),
    "NRGBoost": Peer("nrgboost", only_few=True),
    "UnmaskingTrees": Peer("utrees", only_few=True),
    "mostlyai-engine": Peer("mostlyai"),
    "mostlyai-engine, unprotected": Peer("mostlyai", ("unprotected",)),
    "ctgan TVAE": Peer("ctgan", ("TVAE",), threads=2),
    "ctgan TVAE, batch 50": Peer("ctgan", ("TVAE", "50"), only_few=True),
    "ctgan CTGAN": Peer("ctgan", ("CTGAN",), threads=2),
}
# mostlyai-engine cannot be imported beside these packages from another build than its torch
UNWANTED = {"mostlyai": ("torchvision", "torchaudio")}
# the first requires packages of its other generators, one of which (xgb-diffusion) is not on every
# index, the second an XGBoost for GPUs
ALONE = {"synthyverse": ("synthyverse==0.2.7",), "utrees": ("utrees==0.3.0",)}


def peer_python(name: str) -> str:
    """Return the Python of a peer's environment; the first call makes the environment."""
    return str(environment(HERE, name, UNWANTED.get(name, ()), ALONE.get(name, ())))


def make_peers(selection: list[Case], names: list[str]) -> None:
    """Run peers on cases; skip the tables that exist."""
    for case in selection:
        for name in names:
            peer = PEERS[name]
            if peer.only_few and case.n > N:
                continue
            script = HERE / "peers" / f"peer_{peer.name}.py"
            threads = peer.threads if case.n > N else 1
            make(case, name, [peer_python(peer.name), str(script)], peer.arguments, threads)


def make_ours(selection: list[Case], only: str | None) -> None:
    """Run our generators (or one of them) on cases; skip the tables that exist."""
    for case in selection:
        for name in ours.names(case.n):
            if only not in (None, name):
                continue
            command = [sys.executable, "-m", "benchmarks.generators.ours"]
            arguments = (name, case.table, str(case.n))
            make(case, f"tabseed {name}", command, arguments, 1)


def make(case: Case, name: str, command: list[str], extra: tuple[str, ...], threads: int) -> None:
    """Run ``COMMAND TRAIN OUT N SEED ...``; write its figures, or the last line of its error."""
    out = case.folder / f"{name.replace(', ', '-').replace(' ', '-')}.parquet"
    figures = out.with_suffix(".json")
    if figures.exists():
        return
    train = case.folder / "train.parquet"
    if not train.exists():
        write_training(case)
    count = {f"{lib}_NUM_THREADS": str(threads) for lib in ("OMP", "OPENBLAS", "MKL")}
    load = os.getloadavg()[0]
    arguments = [str(train), str(out), str(GENERATED), str(case.draw), *extra]
    try:
        process = subprocess.run(
            [*command, *arguments],
            env={**os.environ, **count},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=LIMIT,
        )
        failed = process.returncode != 0
        error = (process.stderr.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
    except subprocess.TimeoutExpired:
        failed, error = True, f"not finished after {LIMIT} s"
    record = {"error": error} if failed else json.loads(out.with_suffix(".measured").read_text())
    record |= {"generator": name, "threads": threads, "load": round(load, 1)}
    part = figures.with_suffix(".part")
    part.write_text(json.dumps(record))
    os.replace(part, figures)
    print(case, record, flush=True)
