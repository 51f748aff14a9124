"""Scripts of the gallery run and draw their pictures; notebooks run and show their outputs."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
GALLERY = EXAMPLES / "gallery"
SCRIPTS = sorted(path.stem for path in GALLERY.glob("*.py"))
NOTEBOOKS = sorted(path.stem for path in (EXAMPLES / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("matplotlib") is None, reason="pictures need matplotlib")
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_of_the_gallery_runs_and_draws(tmp_path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, GALLERY / f"{name}.py", tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    assert done.stdout.strip()
    assert (tmp_path / f"{name}.svg").read_text().startswith("<?xml")


def test_the_gallery_lists_its_scripts() -> None:
    listed = (GALLERY / "README.md").read_text()
    assert len(SCRIPTS) == 10 and all(f"`{name}.py`" in listed for name in SCRIPTS)
    assert all((GALLERY / f"{name}.svg").exists() for name in SCRIPTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_code_of_a_notebook_runs_from_top_to_bottom(name: str) -> None:
    cells = json.loads((EXAMPLES / "notebooks" / f"{name}.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(code)],
        cwd=EXAMPLES / "notebooks", capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]


def test_notebooks_have_their_outputs_and_no_errors() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    assert len(NOTEBOOKS) == 3
    for name in NOTEBOOKS:
        cells = json.loads((EXAMPLES / "notebooks" / f"{name}.ipynb").read_text())["cells"]
        outputs = [out for cell in cells for out in cell.get("outputs", [])]
        assert len(outputs) > 2 and all(out["output_type"] != "error" for out in outputs)
        assert f"notebooks/{name}.ipynb" in listed
