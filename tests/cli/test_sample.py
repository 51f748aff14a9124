"""The command ``tabseed sample``: broken model files are refused in one line."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import tabseed
from helpers.command import Ran, refused, table
from tabseed.archive import FORMAT, MAX_DOCUMENT_BYTES


@pytest.fixture(scope="module")
def members(tmp_path_factory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("model") / "m.tabseed"
    tabseed.Resample(random_state=0).fit(table()).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def sampled(tab, path: Path) -> Ran:
    out = path.with_name("o.csv")
    ran = tab("sample", path, "-o", out, "--rows", 9)
    assert out.exists() == (ran.code == 0)
    return ran


def test_the_undamaged_model_is_sound(tab, members, tmp_path) -> None:
    pack(tmp_path / "m.tabseed", members)
    assert sampled(tab, tmp_path / "m.tabseed").code == 0


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.98])
def test_truncated_models_are_refused(tab, members, tmp_path, keep) -> None:
    path = tmp_path / "m.tabseed"
    pack(path, members)
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(keep * len(whole))])
    refused(sampled(tab, path), str(path), "not a sound file")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generator": "os.system"}, "unknown generator, 'os.system'"),
        ({"format": FORMAT + 1}, "written by a newer tabseed"),
        ({"format": "new"}, "not a sound model file"),
        ({"parameters": {"smoothing": 0, "evil": 1}}, "not a sound model file"),
        ({"parameters": None}, "not a sound model file"),
        ({"encoder": {}}, "not a sound model file"),
        ({"stream": {"entropy": "x", "spawn_key": []}}, "not a sound model file"),
    ],
)
def test_models_with_a_wrong_description_are_refused(
    tab, members, tmp_path, change, message
) -> None:
    config = json.loads(members["config.json"]) | change
    pack(tmp_path / "m.tabseed", {**members, "config.json": json.dumps(config).encode()})
    refused(sampled(tab, tmp_path / "m.tabseed"), "m.tabseed", message)


@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("name", ["config.json", "schema.json", "weights.safetensors"])
def test_models_with_a_damaged_member_are_refused(tab, members, tmp_path, name, content) -> None:
    pack(tmp_path / "m.tabseed", {**members, name: content})
    refused(sampled(tab, tmp_path / "m.tabseed"), "m.tabseed")
    pack(tmp_path / "m.tabseed", {k: v for k, v in members.items() if k != name})
    refused(sampled(tab, tmp_path / "m.tabseed"), "m.tabseed")


def test_models_with_other_arrays_are_refused(tab, members, tmp_path) -> None:
    arrays = safetensors.numpy.load(members["weights.safetensors"])
    rows = arrays["model.rows"]
    for changed in (None, rows[:0], rows[0]):
        arrays_left = {k: v for k, v in arrays.items() if k != "model.rows"}
        if changed is not None:
            arrays_left["model.rows"] = np.ascontiguousarray(changed)
        weights = safetensors.numpy.save(arrays_left)
        pack(tmp_path / "m.tabseed", {**members, "weights.safetensors": weights})
        refused(sampled(tab, tmp_path / "m.tabseed"), "m.tabseed", "not a sound model file")


def test_a_bomb_in_a_model_is_not_unpacked(tab, members, tmp_path) -> None:
    path = tmp_path / "m.tabseed"
    pack(path, {**members, "config.json": b" " * (MAX_DOCUMENT_BYTES + 1)})
    assert path.stat().st_size < MAX_DOCUMENT_BYTES / 500
    refused(sampled(tab, path), "config.json unpacks to more than 16 MiB")


@pytest.mark.parametrize("kind", [None, "pandas", "polars", "pyarrow"])
def test_the_rows_of_a_saved_model_are_frames_of_pandas_or_what_is_asked(tab, tmp_path, kind):
    """In Python a model of the command draws what the command writes."""
    data, model, out = (tmp_path / name for name in ("t.csv", "m.tabseed", "o.csv"))
    rows = (f"{20 + i % 31},{'yes' if i % 3 else ''}\n" for i in range(40))
    data.write_text("age,ill\n" + "".join(rows))
    assert tab("synth", data, "-o", out, "--rows", 9, "--model", model).code == 0
    frame = tabseed.load(model).sample(9, as_frame=kind)
    assert type(frame).__module__.split(".")[0] == (kind or "pandas")
    if kind is None:
        assert [str(dtype) for dtype in frame.dtypes[:1]] == ["Int64"]
