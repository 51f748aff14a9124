"""Numbers as text: signs of numbers that round to 0, missing numbers, intervals."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from tabseed.estimates.estimate import Estimate, finite
from tabseed.estimates.scores import form_of
from tabseed.estimates.words import cell, few_rows, number, span

FORMS = (".3f", "+.4f", ".3g", "+.3g", ".0%", ".2f")


@pytest.mark.parametrize("form", FORMS)
def test_text_reads_back_as_the_number_and_0_has_no_minus(form: str) -> None:
    digits = [m * 10.0**e for m, e in product((0, 1, 2.5, 9.99), range(-12, 6))]
    for value in (sign * d for sign in (1, -1) for d in digits):
        text = number(value, form)
        value_of_text = float(text.rstrip("%")) / (100 if form.endswith("%") else 1)
        assert value_of_text == float(format(value, form).rstrip("%")) / (100 if "%" in form else 1)
        assert text.startswith("-") == (value_of_text < 0)
        assert text.startswith("+") == (form.startswith("+") and value_of_text >= 0)


def test_a_number_that_does_not_exist_is_none() -> None:
    assert number(math.nan) == number(None) == number(float(np.nan), "+.2f") == "none"
    assert cell(None) == "" and cell(math.nan) == "none"


def test_intervals_and_estimates() -> None:
    assert span(-0.0004, 1.25) == "0.000 to 1.250"
    assert Estimate(-0.0001, -0.5, 0.0, "bits").text() == "0.000 (-0.500 to 0.000)"
    assert str(Estimate(-0.0001, -0.5, 0.0, "bits")) == (
        "0.000 bits (95 % interval -0.500 to 0.000)"
    )
    assert (form_of("AUC"), form_of("squared error")) == (".3f", ".3g")


def test_cells_write_whole_numbers_whole() -> None:
    assert cell(12345678.0) == "12345678" and cell(0.123456789) == "0.123457"
    assert cell(1e300) == "1e+300" and cell(-0.0) == "0" and cell(7) == "7"


def test_what_json_lacks_is_none_at_any_depth() -> None:
    data = {"a": (1.0, math.inf, [math.nan, {"b": -math.inf}]), "c": "nan", "d": 2, "e": None}
    assert finite(data) == {"a": [1.0, None, [None, {"b": None}]], "c": "nan", "d": 2, "e": None}


def test_a_single_row_is_one_and_enough_rows_get_no_warning() -> None:
    one, two = few_rows({"training": 1, "held-out": 2, "synthetic": 57})
    assert one == "Only 1 training row: another one could give quite another answer."
    assert two == "Only 2 held-out rows: 2 others could give quite another answer."
