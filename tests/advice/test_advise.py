"""Advice before anything is trained: what is seen of known laws, the chances, the words."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed._random import one_thread
from tabseed.advice.advise import Advice
from tabseed.advice.bank import Bank, features
from tabseed.advice.look import Look, look
from tabseed.errors import SchemaError, TooFewRowsError
from tabseed.estimates.estimate import Estimate

STREAM = np.random.SeedSequence(7)


def law(n: int, *, signal: float = 1.0, shift: float = 0.0, seed: int = 0) -> pa.Table:
    """y is yes more often where x is large; five columns of noise."""
    rng = np.random.default_rng([51, seed])
    x = rng.normal(size=(n, 6))
    y = signal * 2 * x[:, 0] - shift + rng.logistic(size=n) > 0
    columns = {f"x{j}": x[:, j] for j in range(6)} | {"y": np.where(y, "yes", "no")}
    return pa.table(columns)


@cache
def line(n: int, seed: int = 0) -> Look:
    """Return what is seen of n rows of the law."""
    return seen_of(law(n, seed=seed))


def seen_of(table: pa.Table) -> Look:
    with one_thread():  # as the command does: models of few rows lose by threads
        return look(ts.Table.from_frame(table), "y", STREAM)


def test_what_is_seen_of_a_line_and_of_noise() -> None:
    """The AUC of the line is 0.86; noise has 0.5. At 400 rows both are met within 0.06."""
    seen = line(400)
    noise = seen_of(law(400, signal=0.0))
    assert abs(seen.score.value - 0.86) < 0.06 and abs(noise.score.value - 0.5) < 0.06
    assert seen.score.low < seen.score.value < seen.score.high
    assert noise.doubling.low < 0 < noise.doubling.high
    assert (seen.n_rows, seen.n_columns, seen.categorical) == (400, 6, 0.0)


def test_more_rows_gain_while_there_is_something_to_learn() -> None:
    """Twice 60 rows of a line gain more than twice 400, on the mean of two draws."""
    gains = [np.mean([line(n, seed).doubling.value for seed in range(2)]) for n in (60, 400)]
    assert gains[0] > gains[1] > -0.01


def test_controls_raise_balanced_accuracy_where_a_class_is_rare() -> None:
    seen = seen_of(law(600, shift=3.5))
    assert 0.05 < seen.rarest < 0.2
    plain = seen.balanced["as it is"].value
    assert seen.balanced["a moved threshold"].value > plain + 0.03
    assert seen.balanced["class weights"].value > plain


def test_numbers_have_r2_and_no_controls() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=300)
    seen = seen_of(pa.table({"x": x, "y": x + rng.normal(size=300)}))
    assert seen.score.unit == "R2" and abs(seen.score.value - 0.4) < 0.15
    assert seen.balanced == {} and seen.rarest == 1.0


def test_chances_by_hand() -> None:
    """ln(p / (1 - p)) = 1 + 2 (log10 n - 2) / 0.5, with log10 n held between 1 and 3."""
    bank = Bank(
        0.01, 3, 30, ("rows (log10)",), np.array([2.0]), np.array([0.5]), np.array([1.0]),
        np.array([3.0]), {"trees": np.array([1.0, 2.0])},
    )  # fmt: skip
    seen = line(60)
    for n, at in ((100, 2.0), (1_000, 3.0), (100_000, 3.0)):
        seen = type(seen)(**{**vars(seen), "n_rows": n})
        odds = 1 + 2 * (at - 2) / 0.5
        assert bank.chances(seen)["trees"] == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-12)
        assert bank.beyond(seen) == (["rows (log10)"] if n > 1_000 else [])


def test_the_packaged_bank_is_sound() -> None:
    bank = Bank.stored()
    seen = line(60)
    assert set(bank.names) == set(features(seen))
    assert all(len(slopes) == 1 + len(bank.names) for slopes in bank.models.values())
    assert (bank.low <= bank.mean).all() and (bank.mean <= bank.high).all()
    nothing = Estimate(np.nan, np.nan, np.nan, "AUC", "higher")
    unknown = type(seen)(**{**vars(seen), "score": nothing, "doubling": nothing})
    assert all(0 < chance < 1 for chance in bank.chances(unknown).values())


def test_the_advice_says_no_of_noise_and_is_json_ready(tmp_path) -> None:
    found = ts.advise(law(120, signal=0.0), "y")
    assert found.answer == "no" and "Do not expect" in found.verdict
    document = json.loads(found.to_json(tmp_path / "advice.json"))
    assert document["chances"] == found.chances
    page = found.to_html(tmp_path / "advice.html")
    assert "Will synthetic rows help?" in page and "gain of twice as many real rows" in page
    assert found.to_json() == ts.advise(law(120, signal=0.0), "y").to_json()


def test_what_cannot_be_advised_is_refused_in_one_line() -> None:
    with pytest.raises(TooFewRowsError, match="give at least 20"):
        ts.advise(law(15), "y")
    with pytest.raises(SchemaError, match="no column 'z'"):
        ts.advise(law(60), "z")
    with pytest.raises(SchemaError, match="one value only"):
        ts.advise(law(60).set_column(6, "y", pa.array(["yes"] * 60)), "y")


def advice_on(seen: Look) -> Advice:
    return Advice("y", seen, {"trees": 0.1}, 0.01, 1, 1, (), (), {})


def estimate(value: float, half: float, unit: str) -> Estimate:
    return Estimate(value, value - half, value + half, unit, "higher")


def test_cheaper_ways_are_said_only_where_they_are_shown() -> None:
    """The balanced accuracies may overlap while their paired gain is sure, and the other way."""
    seen = seen_of(law(200, shift=3.5))
    assert set(seen.controls) == set(seen.balanced) - {"as it is"}
    for name, gain in seen.controls.items():
        assert gain.value == pytest.approx(
            seen.balanced[name].value - seen.balanced["as it is"].value
        )
    sure, unsure = (estimate(0.05, half, "balanced accuracy") for half in (0.04, 0.06))
    both = {"class weights": unsure, "a moved threshold": sure}
    told = advice_on(replace(seen, controls=both)).verdict
    assert "there are cheaper ways" in told and "a moved threshold +0.050" in told
    assert "class weights" not in told
    told = advice_on(replace(seen, controls=dict.fromkeys(both, unsure))).verdict
    assert "no cheaper way is shown to help" in told and "class weights +0.050" in told


def test_models_worse_than_guessing_are_said() -> None:
    seen = line(60)
    bad, fair = (replace(seen, score=estimate(v, 0.05, "AUC")) for v in (0.4, 0.47))
    assert "Models are surely worse than guessing (0.400 AUC" in advice_on(bad).verdict
    assert "surely worse" not in advice_on(fair).verdict
