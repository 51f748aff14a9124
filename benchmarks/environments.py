"""An environment for each peer, made from the requirements files of a benchmark."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]  # where modules run; ``-e .`` in requirements means this folder


def environment(
    folder: Path, name: str, unwanted: tuple[str, ...] = (), alone: tuple[str, ...] = ()
) -> Path:
    """Return the Python of ``folder/.envs/name``; make it if its requirements file has changed.

    Afterwards uninstall the ``unwanted`` packages, and install those of ``alone`` without what they
    require.
    """
    requirements = folder / "requirements" / f"{name}.txt"
    home = folder / ".envs" / name
    python, stamp = home / "bin" / "python", home / "made-from.txt"
    if stamp.exists() and stamp.read_text() == requirements.read_text():
        return python
    venv.create(home, with_pip=True)
    pip = [str(python), "-m", "pip"]
    subprocess.run([*pip, "install", "-q", "-r", str(requirements)], check=True, cwd=ROOT)
    if unwanted:
        subprocess.run([*pip, "uninstall", "-q", "-y", *unwanted], check=True)
    if alone:
        subprocess.run([*pip, "install", "-q", "--no-deps", *alone], check=True)
    stamp.write_text(requirements.read_text())
    return python
