"""The command ``tabseed tune``."""

from __future__ import annotations

from pathlib import Path

import pytest

import tabseed as ts
from helpers.command import refused
from helpers.tuning import table
from tabseed.cli.tune import pasted
from tabseed.table.files import write_table


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_table(table(), tmp_path / "data.csv")
    return tmp_path / "data.csv"


def test_a_study_goes_on_where_it_was_and_refuses_another(tab, data, tmp_path) -> None:
    study, page = tmp_path / "s.sqlite", tmp_path / "page.html"
    base = ("tune", data, "--target", "köln", "--study", study, "--generator", "smote")
    base += ("--generator", "copula", "--draws", 2, "--hardest", 0.3)
    ran = tab(*base, "--trials", 2, "--test-share", 0.25)
    assert ran.code == 0 and "flatters" in ran.out and "rows that no trial saw" in ran.out
    before = ts.Study.read(study).trials
    settings = ("--test-share", 0.25, "--report", page, "--json")
    ran = tab(*base, *settings, "--trials", 4)
    found = ran.document
    assert ran.code == 0 and "2 trials already" in ran.err and len(found["trials"]) == 4
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
        ran = tab(*base, "--test-share", 0.25, "--trials", 4, *changed)
        refused(ran, f"another {named}", at_once=False)


def test_likeness_is_aimed_at_without_a_target(tab, data, tmp_path) -> None:
    command = ("tune", data, "--for", "synth", "--study", tmp_path / "s.sqlite", "--json")
    ran = tab(*command, "--generator", "copula", "--trials", 1, "--draws", 1, "--test-share", 0)
    found = ran.document
    assert ran.code == 0 and found["chosen"]["python"] == "ts.GaussianCopula()"
    assert -1 <= found["trials"][0]["value"] <= 0.2 and "test" not in found


def test_what_is_pasted_makes_the_same() -> None:
    made = ts.TargetedAugmenter(
        ts.SMOTE(n_neighbors=3, categories="vote"), ts.KNNShapley((1, 5)), 0.2, skip=("rare",)
    )
    assert repr(eval(pasted(made), {"ts": ts})) == repr(made)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "needs --target"),
        (("--target", "koln"), "köln"),
        (("--target", "who"), "id"),
        (("--for", "fun"), "augment, synth"),
        (("--for", "synth", "--hardest", "0.2"), "leave it out"),
        (("--target", "köln", "--hardest", "2"), "hardest=2.0 is not a number"),
        (("--target", "köln", "--generator", "dull"), "is not one of trees"),
        (("--target", "köln", "--generator", "arf", "--generator", "arf"), "once"),
        (("--target", "köln", "--test-share", "1"), "between 0 and 1"),
        (("--target", "köln", "--test-share", "0.001"), "none to test on"),
        (("--for", "synth", "--test-share", "0.02"), "too few"),
        (("--target", "köln", "--minutes", "0"), "more than 0"),
        (("--target", "köln", "--method", "dull"), "knn-shapley"),
        (("--target", "köln", "--study", "no/such/s.sqlite"), "no/such"),
    ],
)
def test_errors_are_one_line(tab, data, tmp_path, arguments, message) -> None:
    refused(tab("tune", data, "--study", tmp_path / "s.sqlite", *arguments), message, at_once=False)
    assert not (tmp_path / "s.sqlite").exists()
