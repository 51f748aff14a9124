"""Callbacks by which long work reports its progress."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called as work is done: the amount done, the amount in all, and what is being worked on."""


def silent(done: int, total: int, message: str) -> None:
    """Report nothing: the callback used when none is passed."""


def part(
    progress: Progress | None, start: int, end: int, total: int = 100, name: str = ""
) -> Progress:
    """Return the callback of the part of the work that goes from ``start`` to ``end``.

    Both are in units of ``total``, the whole of the work; ``name`` comes before the part's own
    messages. Returns :func:`silent` if ``progress`` is None.
    """
    if progress is None:
        return silent

    def forward(done: int, part_total: int, message: str) -> None:
        reached = start + (end - start) * done // max(part_total, 1)
        progress(reached, total, f"{name}: {message}" if name else message)

    return forward
