"""Progress: parts of the work report progress through the whole of it."""

from __future__ import annotations

from itertools import pairwise

from tabseed._progress import part, silent


def test_parts_cover_the_whole_without_gaps_or_steps_back() -> None:
    calls: list[tuple[int, int, str]] = []

    def progress(done: int, total: int, message: str) -> None:
        calls.append((done, total, message))

    bounds = [0, 10, 55, 200]
    for start, end in pairwise(bounds):
        inner = part(progress, start, end, 200, "fit")
        for step in range(8):
            inner(step, 7, "epochs")
    amounts = [done for done, _, _ in calls]
    assert amounts == sorted(amounts)
    assert amounts[::8] == bounds[:-1] and amounts[7::8] == bounds[1:]
    assert {(total, message) for _, total, message in calls} == {(200, "fit: epochs")}


def test_a_part_of_a_part_is_a_part_of_the_whole() -> None:
    calls: list[int] = []
    outer = part(lambda done, total, message: calls.append(done), 50, 100)
    inner = part(outer, 50, 100)
    inner(0, 4, "")
    inner(2, 4, "")
    inner(4, 4, "")
    assert calls == [75, 87, 100]


def test_an_empty_task_does_not_divide_by_zero_and_no_callback_is_silent() -> None:
    calls: list[int] = []
    part(lambda done, total, message: calls.append(done), 3, 9)(0, 0, "")
    assert calls == [3]
    assert part(None, 0, 100) is silent
