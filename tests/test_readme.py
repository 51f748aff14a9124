"""The commands and the code of README run as written."""

from __future__ import annotations

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


@pytest.mark.slow
def test_commands_and_code_run_in_order(tmp_path) -> None:
    """Run the shell block, line by line, then the Python block, in a copy of examples/."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (command_lines,) = blocks("sh")
    for line in command_lines.strip().splitlines():
        program, *arguments = shlex.split(line)
        assert program == "tabseed"
        run = [sys.executable, "-m", "tabseed", *arguments]
        done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert {"train.csv", "synthetic.csv", "more.csv", "report.html"} <= {
        path.name for path in tmp_path.iterdir()
    }
    (code,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Jensen-Shannon" in done.stdout and (tmp_path / "evaluation.html").exists()


def test_files_that_readme_names_exist() -> None:
    for name in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / name).exists(), name
