"""Archives: other files are refused, unpacking is bounded, nothing is pickled."""

from __future__ import annotations

import ast
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

import tabseed as ts
from helpers.networks import BRIEF
from tabseed import archive
from tabseed.errors import FileError
from tabseed.testing import example_table


def test_files_other_than_archives_are_refused(tmp_path) -> None:
    for name, content in (("text", b"hello"), ("empty", b""), ("cut", b"PK\x03\x04")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(FileError, match="not a sound file"):
            ts.load(path)
    with pytest.raises(FileError, match="no such file"):
        ts.load(tmp_path / "absent")


def test_archives_that_unpack_to_too_much_are_refused(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_DOCUMENT_BYTES", 10_000)
    path = tmp_path / "bomb"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("config.json", b" " * 1_000_000)
    with pytest.raises(FileError, match="unpacks to more than"):
        ts.load(path)


def test_a_checkpoint_of_other_data_is_refused_and_kept(tmp_path) -> None:
    path = tmp_path / "state"
    checkpoint = archive.Checkpoint(path, "one", seconds=0)
    checkpoint.write({"step": 3}, {"a": np.arange(3)})
    state, arrays = checkpoint.read()
    assert state["step"] == 3 and arrays["a"].tolist() == [0, 1, 2]
    before = path.read_bytes()
    model = ts.VAEBGM(n_seeds=2, training=BRIEF, random_state=0)
    with pytest.raises(FileError, match="other data or with other settings"):
        clone(model).fit(example_table(30), checkpoint=path)
    assert path.read_bytes() == before


def test_no_module_of_the_package_pickles() -> None:
    """Neither directly nor through a library that pickles internally."""
    modules = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle"}
    calls = {("torch", "load"), ("torch", "save"), ("np", "load"), ("np", "save"),
             ("joblib", "load"), ("joblib", "dump")}  # fmt: skip
    scanned = 0
    for path in Path(ts.__file__).parent.rglob("*.py"):
        scanned += 1
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                imported = {a.name.split(".")[0] for a in node.names}
                imported.add((getattr(node, "module", None) or "").split(".")[0])
                assert not imported & modules, f"{path}, line {node.lineno}"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) not in calls, f"{path}, line {node.lineno}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), f"{path}, line {node.lineno}"
    assert scanned > 20
