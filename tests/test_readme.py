"""The commands and the code of README run as written."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    texts = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert texts
    return texts


def checkout(at: Path) -> Path:
    """Copy what git tracks, as a user who has just cloned the project has it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, target = ROOT / name, at / name
        if source.is_file() and not name.startswith(("tests/", "experiments/", "benchmarks/")):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    return at


def run(*command: str | Path, cwd: Path, python: Path | None = None) -> str:
    """Run a command as a user would, without the paths of this test run; return its output."""
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    if python is not None:
        env["PATH"] = f"{python.parent}{os.pathsep}{env['PATH']}"
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.mark.slow
def test_what_readme_prints_runs_after_the_install_line_above_it(tmp_path) -> None:
    """In a fresh environment with the core alone: the code, then each command.

    What needed pandas or PyTorch, which a later line installs, would fail.
    """
    clone = checkout(tmp_path / "clone")
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=clone)
    python = tmp_path / "venv" / "bin" / "python"
    (code,), (commands,) = blocks("python"), blocks("sh")
    assert README.index("pip install . ") < README.index(code) < README.index('pip install ".[all]')
    run(python, "-m", "pip", "install", "-q", "-c", "constraints.txt", ".", cwd=clone)
    for extra in ("pandas", "torch"):
        absent = f"import importlib.util; assert not importlib.util.find_spec({extra!r})"
        run(python, "-c", absent, cwd=clone)
    (tmp_path / "block.py").write_text(code)
    run(python, tmp_path / "block.py", cwd=clone)
    for line in commands.strip().splitlines():
        assert line.startswith("tabseed ")
        run(*shlex.split(line), cwd=clone, python=python)
    made = {path.name for path in clone.iterdir()}
    named = {"drawn.csv", "train.csv", "synthetic.csv", "more.csv", "report.html", "why.html"}
    assert named <= made


@pytest.mark.skipif(not (ROOT / "experiments").exists(), reason="the sdist has no studies")
def test_links_of_readme_work_elsewhere_and_lead_to_files() -> None:
    """PyPI shows README too: a relative link would lead nowhere there."""
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert len(targets) > 15
    for target in targets:
        found = re.fullmatch(
            r"https://(?:github\.com|raw\.githubusercontent\.com)/tabseed/tabseed/"
            r"(?:(?:blob|tree)/)?main/(.+)",
            target,
        )
        assert found and (ROOT / found[1]).exists(), target
