"""Axes: round numbers at the place where the plot has them."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tabseed.pages.intervals import MARGIN, WIDTH, Line, axis, on_one_axis, ticks

ends = st.floats(-1e6, 1e6, allow_nan=False)


@given(ends, st.floats(1e-6, 1e6))
def test_ticks_are_few_round_numbers_in_place(start, span) -> None:
    end = start + span
    at = axis(start, end)
    marks = ticks(start, end)
    assert 1 <= len(marks) <= 5
    for mark in marks:
        value = float(mark.text)
        near = 1e-4 * max(abs(start), abs(end), span)  # six digits are written
        assert start - near <= value <= end + near
        if abs(start) < 1e3 * span:
            assert abs(mark.at - 100 * at(value) / WIDTH) < 0.2
    if start < 0 < end:
        assert "0" in [mark.text for mark in marks]


def test_ticks_lie_at_one_two_or_five() -> None:
    for start, end, texts in (
        (0, 1, ["0", "0.5", "1"]),
        (-0.02, 0.07, ["0", "0.05"]),
        (-3, 11, ["0", "5", "10"]),
        (0, 0.004, ["0", "0.002", "0.004"]),
    ):
        marks = ticks(start, end)
        assert [mark.text for mark in marks] == texts
        steps = {round(float(b) - float(a), 9) for a, b in pairwise(texts)}
        (step,) = steps
        assert round(step / 10 ** math.floor(math.log10(step)), 6) in (1, 2, 5)
    assert [mark.text for mark in ticks(2, 2)] == ["2"]


def test_all_lines_share_the_ticks_of_their_axis() -> None:
    lines = [Line("a", 0.2, 0.1, 0.4, True), Line("b", -1.0, -2.0, 0.5, False)]
    placed = on_one_axis(lines)
    assert placed[0].ticks == placed[1].ticks == ticks(-2.0, 0.5)
    zero = next(mark.at for mark in placed[0].ticks if mark.text == "0")
    assert abs(zero - 100 * placed[0].zero / WIDTH) < 0.05 and placed[1].x[0] == MARGIN
