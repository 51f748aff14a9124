"""Errors, and former names that still work for one release."""

from __future__ import annotations

import inspect
import warnings

import pytest

from tabseed.errors import TabseedError, renamed


@renamed(how="settings")
def ask(table, *, settings=None):
    """Ask."""
    return table, settings


def test_a_former_name_works_and_warns_where_it_was_written() -> None:
    with pytest.warns(FutureWarning, match="how is now called settings.*next release") as caught:
        assert ask(1, how=2) == (1, 2)
    assert caught[0].filename == __file__


def test_the_present_name_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ask(1, settings=2) == (1, 2)


def test_both_names_are_refused() -> None:
    with pytest.raises(TabseedError, match="settings was passed twice, also as how"):
        ask(1, how=2, settings=3)


def test_the_signature_shows_present_names_only() -> None:
    assert list(inspect.signature(ask).parameters) == ["table", "settings"]
    assert ask.__doc__ == "Ask."
