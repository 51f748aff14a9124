"""Model files: unsound ones are refused with one line, and none holds a training row."""

from __future__ import annotations

import json
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import tabseed as ts
from helpers.mutations import changed_array, changed_document
from helpers.networks import BRIEF
from tabseed import archive
from tabseed.errors import FileError
from tabseed.table import UNSEEN
from tabseed.testing import example_table


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "m.tabseed"
    ts.VAEBGM(n_seeds=2, training=BRIEF, random_state=0).fit(example_table(60)).save(path)
    return path


def rewritten(path: Path, to: Path, change) -> Path:
    """Return a copy of a model file with its members altered by ``change``."""
    with zipfile.ZipFile(path) as source:
        members = {name: source.read(name) for name in source.namelist()}
    change(members)
    with zipfile.ZipFile(to, "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    return to


def edit_config(**changes):
    def change(members):
        config = json.loads(members["config.json"])
        for key, value in changes.items():
            if value is None:
                del config[key]
            else:
                config[key] = value
        members["config.json"] = json.dumps(config).encode()

    return change


def reshaped(data: bytes) -> bytes:
    arrays = safetensors.numpy.load(data)
    name = "model.weights.cells.weight"
    arrays[name] = arrays[name][:, :, :-1].copy()
    return safetensors.numpy.save(arrays)


BROKEN = {
    "no weights": lambda m: m.pop("weights.safetensors"),
    "weights cut short": lambda m: m.update({"weights.safetensors": m["weights.safetensors"][:-9]}),
    "weights of text": lambda m: m.update({"weights.safetensors": b"hello"}),
    "config is a list": lambda m: m.update({"config.json": b"[1, 2]"}),
    "config is not JSON": lambda m: m.update({"config.json": b"{"}),
    "config nested too deep": lambda m: m.update({"config.json": b"[" * 200_000}),
    "no encoder": edit_config(encoder=None),
    "encoder of another table": edit_config(encoder={"parameters": {}, "blocks": [], "frame": {}}),
    "unknown generator": edit_config(generator="os.system"),
    "unknown parameter": edit_config(parameters={"shell": "rm"}),
    "stream of text": edit_config(stream={"entropy": "x", "spawn_key": []}),
    "weights of another width": lambda m: m.update(
        {"weights.safetensors": reshaped(m["weights.safetensors"])}
    ),
    "a newer format": edit_config(format=99),
    "schema of other columns": lambda m: m.update(
        {"schema.json": json.dumps({"columns": {"z": {"sdtype": "numerical"}}}).encode()}
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_model_files_are_refused(fault: str, model_file: Path, tmp_path) -> None:
    path = rewritten(model_file, tmp_path / "broken.tabseed", BROKEN[fault])
    with pytest.raises(FileError) as caught:
        ts.load(path)
    assert "\n" not in str(caught.value) and "broken.tabseed" in str(caught.value)


def test_broken_rows_to_resample_are_refused(tmp_path) -> None:
    ts.Resample(random_state=0).fit(example_table(20)).save(tmp_path / "m")
    for name, change in (
        ("narrow", lambda rows: rows[:, :-1].copy()),
        ("infinite", lambda rows: rows * np.inf),
        ("flat", lambda rows: rows.ravel()),
    ):

        def edit(members, change=change):
            arrays = safetensors.numpy.load(members["weights.safetensors"])
            arrays["model.rows"] = change(arrays["model.rows"])
            members["weights.safetensors"] = safetensors.numpy.save(arrays)

        with (
            np.errstate(invalid="ignore"),
            pytest.raises(FileError, match="not a sound model file"),
        ):
            ts.load(rewritten(tmp_path / "m", tmp_path / name, edit))


def test_a_model_file_contains_no_training_row(model_file: Path) -> None:
    """No income of the table, to the cent, is among the numbers of the file."""
    incomes = set(example_table(60)["income"].drop_null().to_pylist())
    _, arrays = archive.read_archive(model_file, ("config", "schema"))
    stored = {float(v) for a in arrays.values() if a.dtype == np.float64 for v in a.ravel()}
    ends = {min(incomes), max(incomes)}
    assert not (incomes - ends) & stored


# --- files of earlier versions -------------------------------------------------------------------

# from commit 4d5e374, in format 1: a file of each kind of model, and five rows that it drew then
WRITTEN = Path(__file__).parent / "fixtures"
DRAWS = json.loads((WRITTEN / "draws.json").read_text())


@pytest.mark.parametrize("name", DRAWS)
def test_models_of_earlier_versions_draw_the_same_rows(name: str) -> None:
    model = ts.load(WRITTEN / f"{name}.tabseed")
    assert (type(model).__name__, model.target_) == (DRAWS[name]["class"], DRAWS[name]["target"])
    assert model.draw(5, random_state=1).to_arrow().to_pylist() == DRAWS[name]["rows"]


# --- changed files -------------------------------------------------------------------------------

FAST = {
    "arf": lambda: ts.AdversarialForest(n_trees=4, random_state=0),
    "copula": lambda: ts.GaussianCopula(random_state=0),
    "resample": lambda: ts.Resample(random_state=0),
    "smote": lambda: ts.SMOTE(random_state=0),
    "trees": lambda: ts.SequentialTrees(n_orders=2, n_trees=1, random_state=0),
}
CHANGES = 40


@pytest.mark.slow
@pytest.mark.parametrize("name", FAST)
def test_a_changed_model_file_is_refused_or_draws_sound_rows(tmp_path, name) -> None:
    path = tmp_path / "m.tabseed"
    FAST[name]().fit(example_table(40)).save(path)
    documents, arrays = archive.read_archive(path, ("config", "schema"))
    refused = 0
    for seed in range(CHANGES):
        rng = random.Random(seed)
        new, part = dict(documents), rng.choice(["config", "schema", "arrays"])
        values = dict(arrays)
        if part == "arrays":
            which = rng.choice(sorted(arrays))
            values[which] = changed_array(arrays[which], rng)
        else:
            new[part] = changed_document(documents[part], rng)
        archive.write_archive(path, new, values, force=True)
        try:
            table = ts.load(path).draw(30, random_state=seed)
        except FileError as error:
            assert str(error).isprintable() and "m.tabseed" in str(error)
            refused += 1
            continue
        for column in table.schema:
            cells = table.cells(column.name)
            assert not (cells == UNSEEN).any() and not np.isinf(cells).any()
    assert CHANGES / 4 < refused < CHANGES


def test_a_number_that_asks_for_a_million_cells_is_refused(tmp_path) -> None:
    """It took minutes once."""
    path = tmp_path / "m.tabseed"
    ts.Resample(random_state=0).fit(example_table(20)).save(path)

    def edit(members):
        config = json.loads(members["config.json"])
        config["encoder"]["blocks"][0]["missing"] = 1_000_000
        members["config.json"] = json.dumps(config).encode()

    with pytest.raises(FileError, match="missing is not of the type bool"):
        ts.load(rewritten(path, tmp_path / "n.tabseed", edit))
