"""Archives: other files are refused, unpacking is bounded, nothing is pickled."""

from __future__ import annotations

import ast
import json
import resource
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


def weights_of(header: dict, size: int) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(size)


BOMBS = {
    "more values than text": ("config.json", b"[" + b"[]," * 4_000_000 + b"1]"),
    "nested lists": ("config.json", b"[" * 500_000 + b"]" * 500_000),
    "weights of zeros": ("weights.safetensors", bytes(50_000_000)),
    "weights larger than their header": (
        "weights.safetensors",
        weights_of({"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}, 50_000_000),
    ),
    "weights smaller than their header": (
        "weights.safetensors",
        weights_of({"a": {"dtype": "F64", "shape": [10**9], "data_offsets": [0, 8 * 10**9]}}, 8),
    ),
    "a long header": ("weights.safetensors", (2**40).to_bytes(8, "little") + bytes(50_000_000)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_before_they_are_unpacked(tmp_path, name) -> None:
    member, data = BOMBS[name]
    path, members = tmp_path / "bomb", {"config.json": b"{}", "schema.json": b"{}"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for key, value in {**members, member: data}.items():
            target.writestr(key, value)
    assert path.stat().st_size < 200_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB, the peak until now
    with pytest.raises(FileError) as caught:
        archive.read_archive(path, ("config", "schema"))
    assert str(caught.value).isprintable()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024


@pytest.mark.parametrize(
    "value",
    [np.array([np.nan]), np.array([-np.inf]), np.array([1e200]), np.array([np.inf], np.float32),
     np.array([1]), np.array([[1.0]]), np.array(1.0), np.array([1.0, 2.0]), np.array([True])],
    ids=repr,
)  # fmt: skip
def test_arrays_of_a_file_have_the_type_shape_and_size_asked_for(value) -> None:
    sound = np.array([1e150])
    assert archive.stored({"a": sound}, "a", "f", (1,)) is sound
    assert archive.stored({"a": sound * np.nan}, "a", "f", (None,), finite=False).shape == (1,)
    with pytest.raises(ValueError, match=r"a ha|a ho"):
        archive.stored({"a": value}, "a", "f", (1,))
    with pytest.raises(ValueError, match="too large"):
        archive.stored({"a": sound}, "a", "f", (1,), most=archive.SINGLE)


def test_a_model_too_large_to_be_read_is_not_written(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(archive, "MAX_WEIGHT_BYTES", archive.MAX_DOCUMENT_BYTES + 100)
    archive.write_archive(tmp_path / "a", {"config": {}}, {"x": np.zeros(10)})
    with pytest.raises(FileError, match="fit it to fewer rows or columns"):
        archive.write_archive(tmp_path / "b", {"config": {}}, {"x": np.zeros(100)})
    monkeypatch.setattr(archive, "MAX_DOCUMENT_BYTES", 100)
    with pytest.raises(FileError, match=r"config\.json would have"):
        archive.write_archive(tmp_path / "c", {"config": {"x": "y" * 200}}, {})
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


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
