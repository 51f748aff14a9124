"""An environment for each peer, made from the requirements that lie beside a benchmark."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]  # where modules run, and what ``-e .`` in requirements means


def environment(folder: Path, name: str, unwanted: tuple[str, ...] = ()) -> Path:
    """Give the Python of ``folder/.envs/name``, made if ``folder/requirements`` are new.

    Packages that are ``unwanted`` are taken out again.
    """
    requirements = folder / "requirements" / f"{name}.txt"
    home = folder / ".envs" / name
    python, made = home / "bin" / "python", home / "made-from.txt"
    if made.exists() and made.read_text() == requirements.read_text():
        return python
    venv.create(home, with_pip=True)
    pip = [str(python), "-m", "pip"]
    subprocess.run([*pip, "install", "-q", "-r", str(requirements)], check=True, cwd=ROOT)
    if unwanted:
        subprocess.run([*pip, "uninstall", "-q", "-y", *unwanted], check=True)
    made.write_text(requirements.read_text())
    return python
