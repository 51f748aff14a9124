"""The command ``tabseed utility``, its page, and the report that both are made of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from joblib import parallel_config
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.tree import DecisionTreeRegressor

import tabseed as ts
from tabseed.cli import app
from tabseed.cli.console import run
from tabseed.utility.measure import SYNTHETIC
from tabseed.utility.ranking import TSTR

QUICK = ("--model", "linear", "--model", "tree", "--seeds", "1")


def people(n: int, seed: int, classes: int = 2) -> pa.Table:
    """Classes that overlap, an id, gaps, names that bite."""
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    x = np.round(rng.normal(size=n) + 1.5 * y, 3)
    return pa.table(
        {
            "who": [f"id{seed}-{i}-{i * i}" for i in range(n)],
            "<b>x</b>": pa.array(x, mask=rng.random(n) < 0.1),
            "=1+1": rng.integers(0, 9, n),
            "köln": np.array(["jå", "näh", "vil"])[y].tolist(),
        }
    )


def relabelled(table: pa.Table, labels: list[str | None]) -> pa.Table:
    labels = labels + table["köln"].to_pylist()[len(labels) :]
    return table.set_column(3, "köln", pa.array(labels))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    tables = {"train": people(80, 1), "synthetic": people(120, 2), "holdout": people(60, 3)}
    for name, table in tables.items():
        pa.csv.write_csv(table, tmp_path / f"{name}.csv")
    return {name: tmp_path / f"{name}.csv" for name in tables}


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting processes takes longer than these fits."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")


def quick(*tables: pa.Table, **how: object) -> ts.UtilityReport:
    """Assess with two models and no shuffles; tables are training, synthetic..., held out."""
    models = {"bayes": GaussianNB(var_smoothing=1e-3), "linear": LogisticRegression()}
    settings = {"models": models, "seeds": 1, **how}
    target = settings.pop("target", "köln")
    return ts.assess_utility(
        tables[0],
        list(tables[1:-1]),
        tables[-1],
        target,
        ts.Measuring(**settings),
        fidelity=ts.ChiSquareDivergence(permutations=0),
    )


@pytest.mark.filterwarnings("error")
def test_prints_what_json_holds_and_a_page(files, tmp_path, capsys) -> None:
    page = tmp_path / "page.html"
    command = [
        *("utility", files["train"], files["synthetic"], "--holdout", files["holdout"]),
        *("--target", "köln", "--report", page, *QUICK),
    ]
    assert run(app, [*map(str, command), "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)["utility"]
    assert next(iter(found)) == "verdict"
    assert found["rows"] == {
        "train": 80,
        "synthetic": [120],
        "holdout": 60,
        "of_unknown_class": 0,
    }
    assert " ".join(err.split()).startswith("verdict " + found["verdict"])
    text = page.read_bytes()
    assert found["verdict"].split(" (")[0] in text.decode()
    assert b"<script" not in text and b"<b>x" not in text
    assert run(app, list(map(str, command))) == 2  # the page is in the way
    capsys.readouterr()
    assert run(app, [*map(str, command), "--force"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and page.read_bytes() == text
    assert max(map(len, out.removesuffix(f"report     {page}\n").splitlines())) <= 100
    assert " ".join(out.split()).startswith("verdict " + found["verdict"])
    for name, model in found["models"].items():
        (row, terms) = (line.split() for line in out.splitlines() if line.startswith(f" {name} "))
        scores = [model["gap"]["scores"][source]["value"] for source in ("real", SYNTHETIC)]
        assert [float(cell) for cell in row[1:3]] == pytest.approx(scores, abs=1e-4)
        assert float(terms[1].rstrip("*")) == pytest.approx(
            model["gap"]["signed"]["value"], abs=1e-3
        )


REFUSED = [
    (("--target", "koln"), ("köln",)),
    (("--target", "who"), ("train.csv", "not a label")),
    (("--target", "<b>x</b>"), ("train.csv", "row", "the label is missing")),
    (("--model", "liner", "--model", "tree"), ("liner", "linear")),
    (("--model", "linear"), ("2 models",)),
    (("--holdout", "train"), ("repeats the training rows",)),
]


@pytest.mark.parametrize(("arguments", "said"), REFUSED)
def test_refuses_what_cannot_be_asked(files, tmp_path, capsys, arguments, said) -> None:
    given = {"--target": "köln", "--holdout": files["holdout"]}
    rest = []
    for option, value in zip(arguments[::2], arguments[1::2], strict=True):
        if option in given:
            given[option] = files.get(value, value)
        else:
            rest += [option, value]
    options = [part for pair in given.items() for part in pair]
    refuse(files, tmp_path, capsys, [files["synthetic"]], [*options, *rest], said)


WRONG = {
    "gap": (lambda t: relabelled(t, ["jå"] * 4 + [None]), ("row 5", "the label is missing")),
    "new": (lambda t: relabelled(t, ["jå", "ufo"]), ("row 2", "'ufo' is no class")),
    "less": (lambda t: t.drop_columns("=1+1"), ("'=1+1' is missing",)),
}


@pytest.mark.parametrize("name", WRONG)
def test_refuses_rows_and_says_of_which_file(files, tmp_path, capsys, name) -> None:
    change, said = WRONG[name]
    path = tmp_path / f"{name}.csv"
    pa.csv.write_csv(change(people(120, 4)), path)
    options = ["--target", "köln", "--holdout", files["holdout"]]
    refuse(files, tmp_path, capsys, [files["synthetic"], path], options, (f"{name}.csv", *said))


def test_refuses_too_few_rows(files, tmp_path, capsys) -> None:
    for rows, which in ((3, "synthetic"), (9, "holdout")):
        few = {**files, which: tmp_path / f"few-{which}.csv"}
        pa.csv.write_csv(people(rows, 5), few[which])
        options = ["--target", "köln", "--holdout", few["holdout"]]
        refuse(files, tmp_path, capsys, [few["synthetic"]], options, ("at least 10", f"got {rows}"))


def refuse(files, tmp_path, capsys, synthetic, options, said) -> None:
    """Expect exit code 2, one line on standard error with all of ``said``, and no page."""
    page = tmp_path / "none.html"
    command = ["utility", files["train"], *synthetic, *options, "--report", page]
    assert run(app, list(map(str, command))) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and not page.exists()
    for part in said:
        assert part in err


def test_any_number_of_jobs_gives_the_same_numbers() -> None:
    tables = [people(80, 1, 3), people(90, 2, 3), people(90, 4, 3), people(60, 3, 3)]
    alone = quick(*tables).to_dict()
    with parallel_config(backend="threading"):
        assert quick(*tables, n_jobs=2).to_dict() == alone
    assert alone["several"]["loss"] == "Brier score"
    assert alone["rows"]["synthetic"] == [90, 90]
    assert "synthetic tables" in alone["verdict"]


def test_numbers_are_scored_by_r2() -> None:
    tables = [people(80, seed).drop_columns("<b>x</b>") for seed in (1, 2, 3)]
    models = {"deep": DecisionTreeRegressor(), "stump": DecisionTreeRegressor(max_depth=1)}
    found = quick(*tables, models=models, target="=1+1")
    assert (found.task, found.cost.unit) == ("regression", "R2")
    real, drawn = (
        [gap.scores[source].value for gap in found.gaps] for source in ("real", SYNTHETIC)
    )
    assert found.cost.value == pytest.approx(np.mean(real) - np.mean(drawn), abs=1e-12)


def test_a_class_that_training_rows_lack_is_wrong_by_every_model() -> None:
    held = people(60, 3)
    unknown = relabelled(held, ["ufo"] * 6)
    found, known = (quick(people(80, 1), people(120, 2), t) for t in (unknown, held.slice(6)))
    for gap, plain in zip(found.gaps, known.gaps, strict=True):
        for source, risk in gap.risks.items():
            assert 60 * risk.value == pytest.approx(54 * plain.risks[source].value + 6)
    assert "no training row has: 6;" in found.warnings[0]
    assert not any("no training row has" in warning for warning in known.warnings)


def test_one_class_drawn_is_a_tie_and_no_nan() -> None:
    drawn = relabelled(people(120, 2), ["jå"] * 120)
    found = quick(people(80, 1), drawn, people(60, 3))
    assert "2 models tie for the best (bayes, linear)" in found.verdict
    assert "tell no pair of models apart" in found.verdict
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["ranking"]["agreements"][TSTR]["tau"]["value"] is None
    with pytest.raises(ts.SchemaError, match="one value only"):
        quick(drawn, people(80, 1), people(60, 3))


def rings(n: int, seed: int, *, flip: float = 0.0, shift: float = 0.0) -> pa.Table:
    """Class by distance from 0, and by x; models differ widely in what they can see of it."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, n)) + shift
    y = ((x**2 + z**2 + x > 2).astype(int) + (rng.random(n) < 0.05 + flip)) % 2
    return pa.table({"x": x, "z": z, "y": np.array(["in", "out"])[y].tolist()})


def test_worse_tables_are_said_to_be_worse() -> None:
    """Rows of the same law, perturbed ones, and labels without any meaning, in order."""
    models = {
        "constant": DummyClassifier(),
        "linear": LogisticRegression(),
        "bayes": GaussianNB(),
        "quadratic": make_pipeline(PolynomialFeatures(2), LogisticRegression()),
        "neighbour": KNeighborsClassifier(1),
    }
    same, perturbed = rings(600, 2), rings(600, 2, flip=0.1, shift=0.6)
    shuffled = same.set_column(2, "y", same["y"].take(np.random.default_rng(0).permutation(600)))
    good, bad, worst = (
        quick(rings(400, 1), table, rings(600, 3), models=models, target="y")
        for table in (same, perturbed, shuffled)
    )
    assert abs(good.cost.value) < 0.02 < bad.cost.low < bad.cost.high < worst.cost.low
    taus = [found.ranking.headline.value for found in (good, bad, worst)]
    kept = [found.ranking.agreements[TSTR].consistent for found in (good, bad, worst)]
    assert taus[0] > taus[1] > taus[2] and kept[0] >= 7 and kept[2] <= 3
    # features alone: the labels play no part
    pooled = [found.fidelity.pooled for found in (good, bad, worst)]
    assert max(pooled[0].high, pooled[2].high) < pooled[1].low
    assert "costs" in worst.verdict and "response term" in worst.verdict
    assert good.ranking.pairs_in_words(TSTR) in good.verdict
