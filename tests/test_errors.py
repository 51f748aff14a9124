"""Errors, and former names that still work for one release."""

from __future__ import annotations

import inspect
import warnings

import pytest
from sklearn.linear_model import LinearRegression

import tabseed as ts
from tabseed.errors import TabseedError, one_line, renamed, shortened


@renamed(how="settings")
def ask(table, *, settings=None):
    """Ask."""
    return table, settings


def test_a_former_name_works_and_warns_where_it_was_written() -> None:
    with pytest.warns(FutureWarning, match="how is now called settings.*next release") as caught:
        assert ask(1, how=2) == (1, 2)
    assert caught[0].filename == __file__


def test_the_current_name_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ask(1, settings=2) == (1, 2)


def test_both_names_are_refused() -> None:
    with pytest.raises(TabseedError, match="settings was passed twice, also as how"):
        ask(1, how=2, settings=3)


def test_the_signature_shows_only_current_names() -> None:
    assert list(inspect.signature(ask).parameters) == ["table", "settings"]
    assert ask.__doc__ == "Ask."


def test_renamed_parameters_of_public_functions_name_the_new_ones() -> None:
    """Each former name reaches its function under the current one, with a warning."""
    for call, old, new in (
        (ts.measure, "how", "settings"),
        (ts.assess_utility, "how", "settings"),
        (ts.ranking_consistency, "how", "settings"),
        (ts.tune_mix, "how", "settings"),
        (ts.generalization_utility, "how", "settings"),
        (ts.utility_decomposition, "how", "settings"),
        (ts.measure, "train_on", "train"),
        (ts.assess_hardness, "frame", "table"),
        (ts.FeatureResponse.response_mean, "frame", "table"),
        (ts.FeatureResponse.sample_response, "frame", "table"),
    ):
        assert new in inspect.signature(call).parameters
        with (
            pytest.warns(FutureWarning, match=f"{old} is now called {new}"),
            pytest.raises(TypeError, match="missing"),  # the other arguments
        ):
            call(**{old: None})


def test_a_model_may_still_come_before_the_tables() -> None:
    for call in (ts.generalization_utility, ts.utility_decomposition):
        with (
            pytest.warns(FutureWarning, match="the model comes after the tables"),
            pytest.raises(ts.SchemaError, match="got str"),
        ):
            call(LinearRegression(), "no table", "no table", "no table", "y")


@pytest.mark.parametrize("length", [3, 20, 21, 5_000])
def test_shortened_keeps_text_that_fits(length) -> None:
    text = shortened("x" * length, 20)
    assert len(text) == min(length, 20)
    assert text.endswith("...") == (length > 20)


def test_texts_of_strangers_stay_on_one_line() -> None:
    assert one_line(" a\n\tb\x1b[2J\u202ec ") == "a b\\x1b[2J\\u202ec"
    assert one_line(ValueError("a\r\nb")) == "a b"
