"""Run a script of this folder in a process of its own, which a damaged file may end without harm.

The scripts are ``soundness.py`` and ``apart.py``. They start without the user's site and
environment, but import from where this process does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType


def run_script(
    script: ModuleType, path: Path, limit: int, *options: str, seconds: float
) -> subprocess.CompletedProcess[bytes]:
    """Run a script on a file and return what it printed, and its exit code.

    The codes are 0, 1 (one line says what is wrong), 2 (more than ``limit`` bytes), or another one
    if the process was ended. ``subprocess.TimeoutExpired`` after so many ``seconds``.
    """
    assert script.__file__ is not None
    entries = json.dumps([str(entry) for entry in sys.path])
    return subprocess.run(
        [
            sys.executable,
            "-I",
            script.__file__,
            entries,
            str(path.absolute()),
            str(limit),
            *options,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=seconds,
        check=False,
    )
