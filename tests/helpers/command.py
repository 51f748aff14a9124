"""Command lines: their output, runs in a process of their own, and what an error looks like."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict:
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """Standard error without the lines on progress, which slow machines see more of."""
        return re.sub(r"(?m)^[a-z ]+: .*(left|so far)\n", "", self.err)


def spawn(*arguments: object, program: str | None = None, **env: str) -> Ran:
    """Run a command line in a process of its own; ``program`` replaces the command."""
    start = ["-m", "tabseed"] if program is None else ["-c", program]
    done = subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **env},
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def refused(ran: Ran, *parts: str, at_once: bool = True) -> None:
    """Expect exit code 2 and one line on standard error that holds all ``parts``.

    ``at_once``: nothing is printed before, not even what was read.
    """
    assert ran.code == 2, ran
    assert not (at_once and ran.out), ran
    line = ran.said.removesuffix("\n")
    assert line.startswith("error: ") and "\n" not in line
    for part in parts:
        assert part in line


def names_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def table(n: int = 40, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    return pa.table(
        {
            "size": np.round(z, 2),
            "n": np.clip(np.round(2 * z + rng.normal(size=n)), -4, 4).astype(int),
            "kind": np.where(z > 0.3, "up", np.where(z < -0.3, "down", "flat")).tolist(),
        }
    )
