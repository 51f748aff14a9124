"""What every answer has: a verdict, notes, one table, a page, JSON and a data frame."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import tabseed as ts
from helpers.evaluating import few_refits
from tabseed.errors import FileError, TabseedError, printable
from tabseed.evidence.verify import check_members
from tabseed.pages import Finding
from tabseed.tune import Study, Verdict, likeness_verdict

HOSTILE = "<b>=1+1</b>"  # name of a column; followed by a number, of its categories


def table(n: int, seed: int) -> pa.Table:
    """Return rows of two numbers and a column whose name and categories are hostile."""
    rng = np.random.default_rng([7, seed])
    z = rng.normal(size=n)
    kind = np.digitize(z + 0.3 * rng.normal(size=n), [0.0])
    return pa.table({"x": z, "w": rng.normal(size=n), HOSTILE: [f"{HOSTILE}{k}" for k in kind]})


def evaluation() -> Finding:
    models = {"tree": DecisionTreeClassifier(), "linear": LogisticRegression()}
    membership = ts.MembershipInference(permutations=99)
    asked = ts.Questions(
        usefulness=ts.Usefulness(models=models),
        privacy=ts.Privacy([HOSTILE], membership=membership),
    )
    three = table(80, 0), table(80, 1), table(60, 2)
    with few_refits():  # the figures do not matter here
        return ts.evaluate(*three, target=HOSTILE, questions=asked, n_jobs=1)


def verification() -> Finding:
    manifest = {"files": {HOSTILE: {}}}
    return ts.Verification(tuple(check_members(manifest, {HOSTILE: "changed"})))


def likeness() -> Finding:
    return ts.Likeness(judges=False).evaluate(table(80, 0), table(80, 1), table(60, 2))


def comparison() -> Finding:
    tables = {HOSTILE: table(80, 1), "other": table(60, 3)}
    with few_refits():
        return ts.compare(table(80, 0), tables, table(60, 2), n_jobs=1)


def augmentation() -> Finding:
    rows = table(120, 0).to_pandas()
    return ts.evaluate_augmentation(
        rows[["x", "w"]].rename(columns={"w": HOSTILE + "2"}),
        rows[HOSTILE],
        ts.TargetedAugmenter(ts.Resample(), ts.KNNShapley(), hardest=0.2),
        model=LogisticRegression(),
        protocol=ts.AugmentationProtocol(splits=2, draws=1, arms=("random",)),
    )


def hardness() -> Finding:
    return ts.assess_hardness(table(80, 0), HOSTILE, ts.KNNShapley())


def utility() -> Finding:
    settings = ts.Measuring(
        models={"tree": DecisionTreeClassifier(), "linear": LogisticRegression()}, seeds=1
    )
    return ts.assess_utility(table(80, 0), table(80, 1), table(80, 2), HOSTILE, settings)


def mix() -> Finding:
    return ts.tune_mix(
        table(60, 0),
        ts.Resample(),
        HOSTILE,
        model=LogisticRegression(),
        weights=[1],
        amounts=[1, 2],
        settings=ts.Mixing(folds=3, repeats=1),
    )


def study() -> Study:
    def objective(family: str, settings: dict[str, Any], stream: np.random.SeedSequence) -> float:
        if settings["size"] > 7:
            raise TabseedError(f"{HOSTILE} is too large")
        return float(settings["size"])

    spaces = {HOSTILE: {"size": ts.Int(1, 9)}}
    return ts.Tuner(spaces, proposer="random", random_state=0).run(objective, trials=6)


def verdict() -> Verdict:
    rows = [ts.Table.from_frame(table(60, seed)) for seed in range(2)]
    contenders = {"chosen": ts.Resample(), HOSTILE: ts.Resample(smoothing=0.5)}
    return likeness_verdict(*rows, contenders, draws=2, metric=ts.MarginalDistance())


def tuning() -> Finding:
    return ts.TuningReport(study(), "Aim: size.", "size", "ts.Resample()", verdict(), {"seed": "0"})


def membership() -> Finding:
    attack = ts.MembershipInference(permutations=99)
    return attack.evaluate(table(80, 0), table(80, 1), table(60, 2))


def disclosure() -> Finding:
    return ts.AttributeDisclosure([HOSTILE]).evaluate(table(80, 0), table(80, 1), table(60, 2))


def privacy() -> Finding:
    membership = ts.MembershipInference(permutations=99)
    ask = ts.Privacy([HOSTILE], membership=membership)
    return ask.evaluate(table(80, 0), table(80, 1), table(60, 2), holds=ts.Resample.holds)


def decision() -> Finding:
    candidates = {HOSTILE: ts.Resample(), "copula": ts.GaussianCopula()}
    model = ts.Auto(candidates=candidates, folds=2, random_state=0).fit(table(80, 0))
    ask = ts.Questions(
        likeness=ts.Likeness(judges=False),
        privacy=ts.Privacy(membership=ts.MembershipInference(permutations=99)),
    )
    judged = ts.evaluate(table(80, 0), table(80, 1), table(60, 2), questions=ask, n_jobs=1)
    return ts.Decision.of(model, judged, {"seed": HOSTILE})


def advice() -> Finding:
    return ts.advise(table(80, 0), HOSTILE)


ANSWERS = {
    "Advice": advice,
    "Comparison": comparison,
    "Decision": decision,
    "Evaluation": evaluation,
    "PrivacyReport": privacy,
    "Verification": verification,
    "DisclosureResult": disclosure,
    "LikenessReport": likeness,
    "AugmentationEvaluation": augmentation,
    "HardnessAssessment": hardness,
    "UtilityReport": utility,
    "Mix": mix,
    "Study": study,
    "Verdict": verdict,
    "TuningReport": tuning,
    "MembershipResult": membership,
}


GRAVE = ("serious", "critical")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
SLOW = ("UtilityReport", "Evaluation", "Comparison")


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in ANSWERS],
)
def answer(request) -> Finding:
    result = ANSWERS[request.param]()
    assert type(result).__name__ == request.param
    return result


def test_the_verdict_and_notes_are_sentences(answer: Finding) -> None:
    assert answer.verdict.endswith(".") and "\n" not in answer.verdict
    assert isinstance(answer.notes, tuple) and all(isinstance(note, str) for note in answer.notes)


def test_rows_are_flat_and_alike(answer: Finding) -> None:
    rows = answer.rows()
    assert rows and len({tuple(row) for row in rows}) == 1
    for value in (value for row in rows for value in row.values()):
        assert value is None or type(value) in (str, int, float, bool)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert {key for heading in answer.headings for key in heading.keys} <= set(rows[0])
    assert all(isinstance(text, str) for row in answer.cells() for text in row)


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_the_frame_has_the_rows(answer: Finding, kind: str) -> None:
    frame, rows = answer.to_frame(kind), answer.rows()
    assert type(frame).__module__.startswith(kind) and len(frame) == len(rows)
    columns = frame.column_names if kind == "pyarrow" else list(frame.columns)
    assert columns == list(rows[0])
    first = columns[0]
    assert list(frame[first].to_pylist() if kind == "pyarrow" else frame[first]) == [
        row[first] for row in rows
    ]


def test_an_unknown_kind_of_frame_is_refused(answer: Finding) -> None:
    with pytest.raises(TabseedError, match="kind='spark' is not one of pandas, polars, pyarrow"):
        answer.to_frame("spark")


def test_json_is_complete_and_does_not_overwrite(answer: Finding, tmp_path: Path) -> None:
    path = tmp_path / "answer.json"

    def constant(name: str) -> Any:
        raise AssertionError(f"{name} is not JSON")

    text = answer.to_json(path)
    plain = json.loads(text, parse_constant=constant)
    assert path.read_text(encoding="utf-8") == text == answer.to_json()
    assert plain == json.loads(json.dumps(answer.to_dict()))
    assert plain["verdict"] == answer.verdict and plain["notes"] == list(answer.notes)
    with pytest.raises(FileError, match=r"answer\.json"):
        answer.to_json(path)
    assert answer.to_json(path, force=True) == text


def test_the_page_shows_everything_and_loads_nothing(answer: Finding, tmp_path: Path) -> None:
    path = tmp_path / "answer.html"
    page = answer.to_html(path)
    assert path.read_text(encoding="utf-8") == page == answer.to_html()
    text = " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())
    assert " ".join(answer.verdict.split()) in text
    for note in answer.notes:
        assert " ".join(printable(note).split()) in text
    for row in answer.rows()[:20]:  # of many rows a page may show only the first
        assert answer.headings[0].cell(row) in text
    assert "<script" not in page and not re.search(r"""(src|href)\s*=(?!"\#)|url\(|@import""", page)
    assert "<b>=1" not in page and "Settings" in page
    with pytest.raises(FileError, match=r"answer\.html"):
        answer.to_html(path)
    assert answer.to_html(path, force=True) == page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.slow
def test_a_browser_shows_the_page_on_a_phone(answer: Finding, browser: Any, tmp_path: Path) -> None:
    """No error, no request, nothing to scroll sideways, nothing serious for axe-core."""
    path = tmp_path / "answer.html"
    answer.to_html(path)
    for scheme in ("light", "dark"):
        context = browser.new_context(
            viewport={"width": 390, "height": 800}, color_scheme=scheme, bypass_csp=False
        )
        page = context.new_page()
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert said == [] and asked == [path.as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.title() == f"tabseed: {answer.title}"
        assert page.locator("h1").count() == 1
        found = Axe().run(page).response["violations"]
        grave = [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in GRAVE]
        assert grave == []
        context.close()


def test_a_notebook_shows_verdict_and_table(answer: Finding) -> None:
    fragment = answer._repr_html_()
    assert escape(printable(answer.verdict)) in fragment.replace("&#39;", "&#x27;").replace(
        "&#34;", "&quot;"
    )
    assert "<html" not in fragment and "<script" not in fragment and "<b>=1" not in fragment
    assert fragment.count("<tr>") == 1 + min(10, len(answer.rows()))


def test_the_repr_fits_a_screen(answer: Finding) -> None:
    lines = repr(answer).splitlines()
    assert len(lines) <= 20 and max(map(len, lines)) <= 100
    assert repr(answer).startswith(type(answer).__name__)
    assert " ".join(" ".join(lines).split()).startswith(
        f"{type(answer).__name__}: {answer.verdict}"[:80]
    )


def test_every_answer_is_checked() -> None:
    def below(cls: type) -> set[str]:
        return {cls.__name__, *(name for sub in cls.__subclasses__() for name in below(sub))}

    for name in ts.__all__:
        getattr(ts, name)
    ours = below(Finding) - {"Finding"}
    assert ours == set(ANSWERS)
