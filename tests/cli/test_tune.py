"""The command ``tabseed tune``."""

from __future__ import annotations

from pathlib import Path

import pytest

import tabseed as ts
from helpers.command import refused
from helpers.tuning import table
from tabseed.table.files import write_table


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_table(table(), tmp_path / "data.csv")
    return tmp_path / "data.csv"


@pytest.mark.slow
def test_a_study_continues_and_refuses_another(tab, data, tmp_path) -> None:
    study, page = tmp_path / "s.sqlite", tmp_path / "page.html"
    base = ("tune", data, "--target", "köln", "--study", study, "--generator", "smote")
    base += ("--generator", "copula", "--draws", 2, "--hardest", 0.3)
    ran = tab(*base, "--trials", 2, "--test-share", 0.25)
    assert ran.code == 0 and "flatters" in ran.out and "rows that no trial saw" in ran.out
    before = ts.Study.read(study).trials
    settings = ("--test-share", 0.25, "--report", page, "--json")
    ran = tab(*base, *settings, "--trials", 4)
    result = ran.document
    assert ran.code == 0 and "trials already there: 2" in ran.err and len(result["trials"]) == 4
    after = ts.Study.read(study).trials
    assert [t.draws for t in after[:2]] == [t.draws for t in before]
    chosen = result["chosen"]
    augmenter = eval(chosen["python"], {"ts": ts})
    family = {"smote": ts.SMOTE, "copula": ts.GaussianCopula}[chosen["generator"]]
    assert type(augmenter.generator) is family and augmenter.hardest == 0.3
    assert augmenter.generator.get_params().items() >= chosen["settings"].items()
    assert set(result["test"]["scores"]) >= {"none", "chosen"}
    text = page.read_text()
    assert "<svg" in text and "<script" not in text and text.count('<tr><td class="n">') == 4
    for changed, name in (
        (("--target", "v"), "--target"),
        (("--hardest", 0.4), "--hardest"),
        (("--seed", 1), "seed"),
        (("--kind", "v=categorical"), "table"),
        (("--generator", "arf"), "spaces"),
    ):
        ran = tab(*base, "--test-share", 0.25, "--trials", 4, *changed)
        refused(ran, f"another {name}", at_once=False)


def test_likeness_needs_no_target(tab, data, tmp_path) -> None:
    command = ("tune", data, "--for", "synth", "--study", tmp_path / "s.sqlite", "--json")
    ran = tab(*command, "--generator", "copula", "--trials", 1, "--draws", 1, "--test-share", 0)
    result = ran.document
    assert ran.code == 0 and result["chosen"]["python"] == "ts.GaussianCopula(random_state=0)"
    assert -1 <= result["trials"][0]["value"] <= 0.2 and "test" not in result


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "needs --target"),
        (("--target", "koln"), "köln"),
        (("--target", "who"), "id"),
        (("--for", "fun"), "augment, synth"),
        (("--for", "synth", "--hardest", "0.2"), "leave it out"),
        (("--target", "köln", "--hardest", "2"), "error: --hardest 2 is not a number above 0"),
        (("--target", "<b>x</b>", "--per-class"), "--per-class needs classes"),
        (("--target", "köln", "--generator", "dull"), "is not one of trees"),
        (("--target", "köln", "--generator", "arf", "--generator", "arf"), "once"),
        (("--target", "köln", "--test-share", "1"), "less than 1"),
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
