"""The command ``tabseed tune``, its objectives, and what it says of rows that no trial saw."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score

import tabseed as ts
from tabseed import cli
from tabseed._random import child, seed_sequence
from tabseed.augment.rows import Rows
from tabseed.cli.tune import pasted
from tabseed.errors import TooFewRowsError
from tabseed.estimates.folds import deal
from tabseed.table.files import write_table
from tabseed.tune import AugmentationGain, Fidelity, gain_verdict, likeness_verdict


def table(n: int = 90) -> pa.Table:
    rng = np.random.default_rng(4)
    y = np.arange(n) % 2
    return pa.table(
        {
            "who": [f"id{i}-{i * i}" for i in range(n)],
            "<b>x</b>": np.round(rng.normal(size=n) + y, 3),
            "v": np.round(rng.normal(size=n), 2),
            "köln": np.where(y == 1, "jå", "näh").tolist(),
        }
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_table(table(), tmp_path / "data.csv")
    return tmp_path / "data.csv"


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    from tabseed.cli.console import run as command_line

    capsys.readouterr()
    try:
        code = command_line(cli.app, [str(a) for a in arguments])
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    return code, said.out, said.err


# --- objectives ----------------------------------------------------------------------------------


def test_folds_are_even_in_all_and_in_each_class() -> None:
    group = np.repeat([0, 1, 2], [50, 13, 7])
    fold = deal(group, len(group), 4, np.random.default_rng(0))
    counts = np.array([np.bincount(fold[group == g], minlength=4) for g in range(3)])
    assert (np.ptp(counts, axis=1) <= 1).all() and np.ptp(counts.sum(axis=0)) <= 1
    assert not np.array_equal(fold, deal(group, len(group), 4, np.random.default_rng(1)))


class Copies(ts.Resample):
    """Draws the rows learned, each once: what is added is known."""

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return np.resize(self.rows_, (n, self.rows_.shape[1]))


def test_the_gain_is_that_of_the_definition() -> None:
    """With copies of all rows added, the model is that of every row twice."""
    from tabseed.coding.points import Features

    features = ts.Table.from_frame(table()).select(ts.Table.from_frame(table()).schema.modelled)
    features = features.to_arrow().drop_columns(["köln"])
    y = np.arange(90) % 2
    rows = Rows.of(features, y, "classification")
    model = LogisticRegression()
    augmenter = ts.TargetedAugmenter(Copies(), hardest=1.0)
    gain = AugmentationGain.on(
        rows, augmenter, {"copies": Copies()}, draws=2, model=model, random_state=3
    )
    found = gain("copies", {}, seed_sequence(8))
    fold = deal(y, len(y), 3, np.random.default_rng(child(seed_sequence(3), 0, 0)))
    expected = []
    for k in range(3):
        train, held = rows.take(np.flatnonzero(fold != k)), rows.take(np.flatnonzero(fold == k))
        points = Features().fit(train.features)
        x, test = points.transform(train.features), points.transform(held.features)
        twice = model.fit(np.repeat(x, 2, axis=0), np.repeat(train.y, 2)).predict_proba(test)
        once = model.fit(x, train.y).predict_proba(test)
        expected.append(
            2 * (roc_auc_score(held.y, twice[:, 1]) - roc_auc_score(held.y, once[:, 1]))
        )
    assert found == pytest.approx([np.mean(expected)] * 2, abs=1e-12)


def test_folds_need_a_row_of_each_class() -> None:
    y = np.array([0] * 30 + [1] * 2)
    rows = Rows.of(np.random.default_rng(0).normal(size=(32, 2)), y, "classification")
    with pytest.raises(TooFewRowsError, match="class 1 has 2 rows"):
        AugmentationGain.on(rows, ts.TargetedAugmenter(ts.Resample()), {})
    with pytest.raises(TooFewRowsError, match="30"):
        Fidelity.on(ts.Table.from_frame(table(29)), None, {})


class Spy(ts.MarginalDistance):
    """Keeps what the judge saw."""

    seen: list = []

    def evaluate(self, real, synthetic, **options):
        self.seen.append((real, synthetic))
        return super().evaluate(real, synthetic, **options)


def test_the_judge_of_likeness_sees_each_row_once_and_none_that_trained() -> None:
    Spy.seen.clear()
    whole = ts.Table.from_frame(table().drop_columns(["who"]))
    objective = Fidelity.on(
        whole, "köln", {"r": ts.Resample()}, draws=2, metric=Spy(), random_state=0
    )
    values = objective("r", {}, seed_sequence(1))
    assert len(values) == 2 and all(v < 0 for v in values) and len(Spy.seen) == 6
    v = np.concatenate([real.numbers("v") for real, _ in Spy.seen[::2]])
    assert sorted(v) == sorted(whole.numbers("v"))
    for real, drawn in Spy.seen:
        held = set(zip(real.numbers("v"), real.numbers("<b>x</b>"), strict=True))
        assert not held & set(zip(drawn.numbers("v"), drawn.numbers("<b>x</b>"), strict=True))


def test_verdicts_favour_what_is_plainly_better() -> None:
    """Constant rows against real ones; labels without meaning against kept ones. A seed each."""
    whole = ts.Table.from_frame(table(240).drop_columns(["who"]))
    train, test = whole.split(0.5, random_state=0)

    class Torn(ts.Resample):
        def _sample(self, n, rng):
            return np.zeros_like(super()._sample(n, rng))

    found = likeness_verdict(
        train,
        test,
        None,
        {"chosen": ts.Resample(), "torn": Torn()},
        draws=2,
        metric=ts.MarginalDistance(),
        random_state=0,
    )
    assert found.over["torn"].low > 0 and "better than torn" in found.sentence
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 2))
    rows = Rows.of(x, x @ [1.0, 2.0] + 0.1 * rng.normal(size=400), "regression")

    class Shuffled(Copies):
        def _sample(self, n, rng):
            layout = self.encoder_.layout_
            cells = layout.cells(super()._sample(n, rng))
            return layout.from_cells([rng.permutation(c) for c in cells], rng)

    augmenter = ts.TargetedRegressionAugmenter(Copies(), hardest=1.0)
    against = gain_verdict(
        rows.take(np.arange(200)),
        rows.take(np.arange(200, 400)),
        augmenter,
        {"chosen": Copies(), "shuffled": Shuffled()},
        draws=8,
        model=LinearRegression(),
        random_state=0,
    )
    assert against.over["none"].value == pytest.approx(0, abs=1e-9)
    assert against.over["shuffled"].low > 0.1
    gap = against.scores["chosen"] - against.scores["shuffled"]
    assert against.over["shuffled"].value == pytest.approx(gap)


# --- the command ---------------------------------------------------------------------------------


def test_a_study_goes_on_where_it_was_and_refuses_another(data, tmp_path, capsys) -> None:
    study, page = tmp_path / "s.sqlite", tmp_path / "page.html"
    base = ("tune", data, "--target", "köln", "--study", study, "--generator", "smote")
    base += ("--generator", "copula", "--draws", 2, "--hardest", 0.3)
    code, out, _ = run(capsys, *base, "--trials", 2, "--test-share", 0.25)
    assert code == 0 and "flatters" in out and "rows that no trial saw" in out
    before = ts.Study.read(study).trials
    settings = ("--test-share", 0.25, "--report", page, "--json")
    code, out, err = run(capsys, *base, *settings, "--trials", 4)
    found = json.loads(out)
    assert code == 0 and "2 trials already" in err and len(found["trials"]) == 4
    after = ts.Study.read(study).trials
    assert [t.draws for t in after[:2]] == [t.draws for t in before]
    chosen = found["chosen"]
    made = eval(chosen["python"], {"ts": ts})
    family = {"smote": ts.SMOTE, "copula": ts.GaussianCopula}[chosen["generator"]]
    assert type(made.generator) is family and made.hardest == 0.3
    assert made.generator.get_params().items() >= chosen["settings"].items()
    assert set(found["test"]["scores"]) >= {"none", "chosen"}
    text = page.read_text()
    assert "<svg" in text and "<script" not in text and text.count('<tr><td class="n">') == 4
    for changed, named in (
        (("--target", "v"), "--target"),
        (("--hardest", 0.4), "--hardest"),
        (("--seed", 1), "seed"),
        (("--kind", "v=categorical"), "table"),
        (("--generator", "arf"), "spaces"),
    ):
        code, _, err = run(capsys, *base, "--test-share", 0.25, "--trials", 4, *changed)
        assert code == 2 and err.count("\n") == 1 and f"another {named}" in err, err


def test_likeness_is_aimed_at_without_a_target(data, tmp_path, capsys) -> None:
    command = ("tune", data, "--for", "synth", "--study", tmp_path / "s.sqlite", "--json")
    code, out, _ = run(
        capsys, *command, "--generator", "copula", "--trials", 1, "--draws", 1, "--test-share", 0
    )
    found = json.loads(out)
    assert code == 0 and found["chosen"]["python"] == "ts.GaussianCopula(random_state=0)"
    assert -1 <= found["trials"][0]["value"] <= 0.2 and "test" not in found


def test_what_is_pasted_makes_the_same() -> None:
    made = ts.TargetedAugmenter(
        ts.SMOTE(n_neighbors=3, categories="vote"), ts.KNNShapley((1, 5)), 0.2, skip=("rare",)
    )
    assert repr(eval(pasted(made), {"ts": ts})) == repr(made)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "needs --target"),
        (("--target", "koln"), "köln"),
        (("--target", "who"), "id"),
        (("--for", "fun"), "augment, synth"),
        (("--for", "synth", "--hardest", "0.2"), "leave it out"),
        (("--target", "köln", "--hardest", "2"), "share of the rows"),
        (("--target", "köln", "--generator", "dull"), "there are trees"),
        (("--target", "köln", "--generator", "arf", "--generator", "arf"), "once"),
        (("--target", "köln", "--test-share", "1"), "between 0 and 1"),
        (("--target", "köln", "--test-share", "0.001"), "none to test by"),
        (("--for", "synth", "--test-share", "0.02"), "too few"),
        (("--target", "köln", "--minutes", "0"), "more than 0"),
        (("--target", "köln", "--method", "dull"), "knn-shapley"),
        (("--target", "köln", "--study", "no/such/s.sqlite"), "no/such"),
    ],
)
def test_errors_are_one_line(data, tmp_path, capsys, arguments, said) -> None:
    code, out, err = run(capsys, "tune", data, "--study", tmp_path / "s.sqlite", *arguments)
    assert code == 2 and said in err and err.count("\n") == 1, (out, err)
    assert not (tmp_path / "s.sqlite").exists()
