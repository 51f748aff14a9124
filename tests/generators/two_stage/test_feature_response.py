"""Two-stage synthesis: the target's column, files, and what is refused."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tabseed as ts
from helpers.responses import SMOOTH, frame, uneven
from tabseed import archive
from tabseed.coding.encode import TableEncoder
from tabseed.errors import FileError, NoTargetWarning, SchemaError, TabseedError
from tabseed.generators.two_stage.feature_response import FeatureResponse, encoder_of
from tabseed.table.schema import Schema
from tabseed.testing.tables import example_table

# --- the target, and columns that follow others -------------------------------------------------


def test_the_last_column_is_the_target_if_none_is_named() -> None:
    table = example_table(60)
    model = FeatureResponse(SMOOTH, "knn", random_state=0).fit(table)
    assert model.target_ == "born <b>" and model.task_ == "regression"
    assert "none was named" in model.summary()[0]
    named = clone(model).fit(table, target="level")
    assert named.task_ == "classification" and "none was named" not in named.summary()[0]
    with pytest.raises(SchemaError, match="person_id"):
        clone(model).fit(table, target="person_id")


def test_a_target_alone_has_its_own_law(tmp_path) -> None:
    y = np.array([0.0] * 60 + [1.0] * 30 + [5.0] * 10)
    for columns in ({}, {"k": np.full(100, 3)}):
        for values, kind in ((y, "integer"), (y, "ordinal"), (y.astype(str), "categorical")):
            table = ts.Table.from_frame(pa.table({**columns, "y": values}), kinds={"y": kind})
            model = FeatureResponse(random_state=0).fit(table)
            synthetic = np.array(model.sample(4_000)["y"].to_pylist())
            for value, share in zip(np.unique(values), (0.6, 0.3, 0.1), strict=True):
                assert (
                    abs(np.mean(synthetic == value) - share)
                    < 5 * (share * (1 - share) / 4_000) ** 0.5
                )
            rows = pa.table({**columns, "y": values}).slice(0, 2)
            mean = 0.8 if kind == "integer" else [0.6, 0.3, 0.1]
            assert np.allclose(model.response_mean(rows), mean)
            model.save(tmp_path / "m", force=True)
            assert ts.load(tmp_path / "m").sample(50).equals(model.sample(50))


def test_dependencies_hold_for_any_target() -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 6, 120)
    name = np.array(["zero", "one", "two", "three", "four", "five"])[code]
    table = pa.table({"code": code, "name": name, "x": rng.normal(size=120) + code})
    table = ts.Table.from_frame(table, kinds={"code": "integer"})
    names = dict(zip(code.tolist(), name.tolist(), strict=True))
    for target in ("code", "name", "x"):
        model = FeatureResponse(SMOOTH, random_state=0).fit(table, target=target)
        rows = model.sample(400).to_pylist()
        assert all(names[row["code"]] == row["name"] for row in rows)
    model = FeatureResponse(SMOOTH, random_state=0).fit(table, target="name")
    at = table.take(range(7))
    assert model.sample_response(at).tolist() == name[:7].tolist()
    eta = model.response_mean(at)
    assert [model.classes_[k] for k in eta.argmax(axis=1)] == name[:7].tolist()
    assert ((eta == 0) | (eta == 1)).all()
    model = FeatureResponse(SMOOTH, random_state=0)
    order = Schema(tuple(table.schema[c] for c in ("name", "code", "x")))
    model.fit(table.select(order), target="code")
    assert np.array_equal(model.response_mean(at), code[:7])
    with pytest.raises(SchemaError, match="'name', row 1: not seen"):
        model.sample_response(pa.table({"name": ["seven"], "x": [0.0]}))


def test_an_encoder_of_some_columns_encodes_only_them() -> None:
    table = ts.Table.from_frame(example_table(50))
    encoder = TableEncoder().fit(table)
    part = encoder_of(encoder, [3, 0])
    x = part.transform(table)
    assert part.schema_.names == ["owns", "income"] and x.shape == (50, part.layout_.width)
    back = part.inverse_transform(x).to_arrow()
    assert all(back[n].equals(table.to_arrow()[n]) for n in ("owns", "income"))


def test_unseen_categories_and_missing_columns() -> None:
    rng = np.random.default_rng(0)
    c = rng.choice(["a", "b"], 80)
    table = pa.table({"c": c, "y": np.where(c == "a", 1.0, 3.0) + 0.01 * rng.normal(size=80)})
    model = FeatureResponse(SMOOTH, "linear", random_state=0).fit(table)
    low, high, other = model.response_mean(pa.table({"c": ["a", "b", "new"]}))
    assert low == pytest.approx(1, abs=0.1) and high == pytest.approx(3, abs=0.1)
    assert low < other < high
    with pytest.raises(SchemaError, match="'c' is missing"):
        model.response_mean(pa.table({"d": ["a"]}))


# --- files, and what is refused -----------------------------------------------------------------


@pytest.mark.slow
def test_files_hold_any_listed_estimator_and_any_generator(tmp_path) -> None:
    pytest.importorskip("torch")
    table = example_table(60)
    brief = ts.Training(steps=20, patience=2)
    network = ts.VAEBGM(n_seeds=2, training=brief, device="cpu")
    for model in (
        FeatureResponse(network, RandomForestRegressor(20, max_depth=4), random_state=1),
        FeatureResponse(ts.SMOTE(3), LogisticRegression(C=0.3), random_state=1),
    ):
        classes = isinstance(model.response, LogisticRegression)
        model.fit(table, target="level" if classes else "income")
        model.save(tmp_path / "m", force=True)
        again = ts.load(tmp_path / "m")
        assert repr(again) == repr(model)
        assert again.sample(40).equals(model.sample(40))
        assert np.array_equal(again.response_mean(table), model.response_mean(table))


def test_files_hold_no_other_estimator(tmp_path) -> None:
    x, y, _ = uneven(40)
    piped = make_pipeline(StandardScaler(), LinearRegression())
    weighted = KNeighborsRegressor(3, weights=lambda d: np.exp(-d))
    for response, why in ((piped, "Pipeline"), (weighted, "not a plain value")):
        model = FeatureResponse(SMOOTH, response, random_state=0).fit(frame(x, y=y))
        assert len(model.sample(3)) == 3
        with pytest.raises(TabseedError, match=why):
            model.save(tmp_path / "m")
    model = FeatureResponse(SMOOTH, LinearRegression(), random_state=0).fit(frame(x, y=y))
    model.save(tmp_path / "m")
    with zipfile.ZipFile(tmp_path / "m") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config["parameters"]["response"] = {"class": "Pipeline", "parameters": {"memory": "/tmp"}}
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(tmp_path / "bad", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(FileError, match="not a response that a file may hold"):
        ts.load(tmp_path / "bad")


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"features": "trees"}, "features='trees' is not a Generator"),
        ({"response": "tree"}, "response='tree' is not one of .* or a scikit-learn estimator"),
        ({"residuals": "all"}, "residuals='all' is not one of"),
        ({"folds": 1}, "folds=1 is not a whole number of at least 2"),
        ({"response": LogisticRegression()}, "LogisticRegression is not"),
        ({"response": KNeighborsRegressor(35)}, "KNeighborsRegressor cannot learn 32 rows"),
    ],
)
def test_what_does_not_fit_is_refused(settings, why) -> None:
    x, y, _ = uneven(40)
    with pytest.raises(TabseedError, match=why) as caught:
        FeatureResponse(**{"features": SMOOTH, **settings}).fit(frame(x, y=y))
    assert "\n" not in str(caught.value)


def test_a_file_may_not_ask_for_endless_work(tmp_path) -> None:
    """Reading a file fits its response again: a billion neighbours are a harmless stand-in."""
    model = ts.FeatureResponse(response=KNeighborsRegressor(n_neighbors=3), random_state=0)
    model.fit(example_table(40), target="income").save(tmp_path / "m")
    assert ts.load(tmp_path / "m").sample(5).equals(model.sample(5))
    documents, arrays = archive.read_archive(tmp_path / "m", ("config", "schema"))
    documents["config"]["parameters"]["response"]["parameters"]["n_neighbors"] = 10**9
    archive.write_archive(tmp_path / "n", documents, arrays)
    with pytest.raises(FileError, match="n_neighbors=1000000000: at most 100000"):
        ts.load(tmp_path / "n")
    model.response = KNeighborsRegressor(n_neighbors=10**9)
    with pytest.raises(TabseedError, match="cannot hold KNeighborsRegressor"):
        model.save(tmp_path / "o")


def test_a_target_that_was_not_named_is_warned_of() -> None:
    table = pa.table({"x": np.arange(40.0), "y": np.arange(40.0) ** 2})
    with pytest.warns(NoTargetWarning, match="the last column, 'y', is the response") as told:
        model = ts.FeatureResponse(response="linear").fit(table)
    assert model.target_ == "y" and told[0].filename == __file__
