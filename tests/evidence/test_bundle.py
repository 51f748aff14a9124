"""Bundles of evidence: what is written is verified, what is changed is found, names stay text."""

from __future__ import annotations

import json
import zipfile
from html import unescape
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.errors import FileError
from tabseed.evidence.bundle import (
    MANIFEST,
    MAX_MEMBERS,
    changed_members,
    file_hash,
    read_bundle,
    write_bundle,
)
from tabseed.evidence.collect import Inputs, Judged, collect, verify
from tabseed.evidence.documents import FILES
from tabseed.evidence.markdown import escaped, table
from tabseed.evidence.verify import check_numbers

HOSTILE = "<img src=x>|=1+1`*_"


def rows(n: int, seed: int) -> pa.Table:
    rng = np.random.default_rng([3, seed])
    z = rng.normal(size=n)
    return pa.table({"x": z.round(2), HOSTILE: np.array(["<b>a</b>", "b"])[(z > 0) * 1]})


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Inputs]:
    folder = tmp_path_factory.mktemp("evidence")
    files = {}
    for role, n, seed in (("train", 60, 0), ("synthetic", 60, 1), ("holdout", 40, 2)):
        files[role] = folder / f"{role}.csv"
        ts.write_table(rows(n, seed), files[role])
    tables = [ts.Table.from_frame(ts.read_table(path)) for path in files.values()]
    model = ts.GaussianCopula().fit(tables[0])
    files["model"] = folder / "m.tabseed"
    model.save(files["model"])
    inputs = Inputs(*tables, files, {"encoding": "utf-8"})
    path = folder / "bundle.zip"
    answer, digest = collect(path, inputs, Judged(privacy={"sensitive": [HOSTILE]}))
    assert digest == file_hash(path)[1] and answer.privacy.disclosure is not None
    return path, inputs


@pytest.mark.slow
def test_the_same_files_give_the_same_bytes(made, tmp_path) -> None:
    path, inputs = made
    _, digest = collect(tmp_path / "b.zip", inputs, Judged(privacy={"sensitive": [HOSTILE]}))
    assert digest == file_hash(path)[1]


@pytest.mark.slow
def test_a_bundle_is_complete_and_its_numbers_come_again(made) -> None:
    path, inputs = made
    manifest, members = read_bundle(path)
    assert list(members) == list(FILES) and not changed_members(manifest, members)
    again = verify(path, inputs)
    assert again.passed and all(check.ok for check in again.checks), again
    bare = verify(path)
    assert bare.passed and sum(check.ok is None for check in bare.checks) == 5
    provenance = json.loads(members["provenance.json"])
    assert provenance["generator"]["class"] == "GaussianCopula"
    assert provenance["files"]["train"]["rows"] == 60
    assert str(path.parent) not in members["provenance.json"].decode()  # no folder of a person


@pytest.mark.slow
def test_hostile_names_stay_text_in_every_document(made) -> None:
    _, members = read_bundle(made[0])
    for name, data in members.items():
        text = data.decode()
        if name.endswith((".md", ".html")):
            assert "<img" not in text and "<b>a" not in text
        if name.endswith(".md"):
            for line in text.splitlines():
                if line.startswith("|"):  # a name with a bar would add a cell
                    assert line.replace("\\|", "").count("|") == _cells_of(text, line)


def _cells_of(text: str, line: str) -> int:
    """Return the bars of the table's line of dashes that a line belongs to."""
    lines = text.splitlines()
    at = lines.index(line)
    while not set(lines[at]) <= set("|- "):
        at += 1 if not lines[at - 1].startswith("|") else -1
    return lines[at].count("|")


@pytest.mark.slow
@pytest.mark.parametrize("change", ["member", "missing", "added", "input", "number"])
def test_every_change_is_found(made, tmp_path, change) -> None:
    path, inputs = made
    manifest, members = read_bundle(path)
    other = tmp_path / "other.zip"
    if change == "number":  # a forger writes new hashes too
        data = json.loads(members["evaluation.json"])
        data["numbers"][0]["value"] += 0.01
        members["evaluation.json"] = json.dumps(data).encode()
        write_bundle(other, members)
        found = verify(other, inputs)
        assert "numbers computed again" in found.verdict and "/numbers/0/value" in found.verdict
    elif change == "input":
        train = tmp_path / "train.csv"
        train.write_bytes(inputs.files["train"].read_bytes() + b"0.5,b\n")
        changed = Inputs(*inputs.tables.values(), {**inputs.files, "train": train}, {})
        found = verify(path, changed)
        assert "train file: not the bytes of train.csv" in found.verdict
    else:
        if change == "member":
            members["limits.md"] += b"All is well.\n"
        elif change == "missing":
            del members["privacy.md"]
        else:
            members["approval.md"] = b"approved\n"
        with zipfile.ZipFile(other, "w") as archive:
            for name, data in {**members, MANIFEST: json.dumps(manifest).encode()}.items():
                archive.writestr(name, data)
        found = verify(other)
        name = {"member": "limits.md", "missing": "privacy.md", "added": "approval.md"}[change]
        assert name in found.verdict
    assert not found.passed


def test_the_same_members_give_the_same_bytes(tmp_path) -> None:
    members = {"a.md": b"x", "b.json": b"{}"}
    digests = {write_bundle(tmp_path / name, members) for name in ("one.zip", "two.zip")}
    assert len(digests) == 1
    with pytest.raises(FileError, match=r"one\.zip"):
        write_bundle(tmp_path / "one.zip", members)


def test_unsound_files_are_refused_in_one_line(tmp_path) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(b"no zip")
    cases = [path, tmp_path / "none.zip", tmp_path]
    for name, members in (
        ("empty", {}),
        ("many", {str(k): b"" for k in range(MAX_MEMBERS + 1)}),
        ("list", {MANIFEST: b"[]"}),
        ("text", {MANIFEST: b"{"}),
        ("newer", {MANIFEST: b'{"format": 99, "files": {}}'}),
        ("unsaid", {MANIFEST: b'{"format": "1", "files": {}}'}),
    ):
        cases.append(tmp_path / f"{name}.zip")
        with zipfile.ZipFile(cases[-1], "w") as archive:
            for member, data in members.items():
                archive.writestr(member, data)
    for case in cases:
        with pytest.raises(FileError) as error:
            read_bundle(case)
        assert "\n" not in str(error.value)


def test_numbers_differ_by_path() -> None:
    before = {"a": [1, 2.5], "seconds": 3, "b": {"c": None}}
    assert check_numbers(before, {**before, "seconds": 9}, same_versions=True).ok
    found = check_numbers(before, {"a": [1, 2.6], "b": {"c": None}}, same_versions=False)
    assert found.ok is False and "1 of 3 differ, first /a/1: 2.5 then, 2.6 now" in found.detail
    assert not check_numbers(before, {"a": [1], "b": {"c": None}}, same_versions=True).ok
    assert not check_numbers(before, {"a": [1, 2.5]}, same_versions=True).ok


@pytest.mark.parametrize(
    "text", ["# x", "- x", "3. x", "<b>", "a|b", "`x`", "*x*", "_x_", "[x](y)", "&lt;", "a\nb"]
)
def test_markdown_shows_the_text_itself(text) -> None:
    line = escaped(text)
    assert "\n" not in line and "<" not in line and ">" not in line
    plain = unescape(line.replace("\\&", "&amp;")).replace("\\", "")
    assert plain == text.replace("\n", "n")
    for mark in "|`*_[]":
        assert line.count(mark) == line.count(f"\\{mark}")
    assert table(["x"], [[text]]).count("\n") == 2
