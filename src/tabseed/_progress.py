"""How work that takes long says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called as work ends, with how much is done, how much there is in all, and what is at work."""


def silent(done: int, total: int, message: str) -> None:
    """Report nothing: what stands in for no callback."""


def part(
    progress: Progress | None, start: int, end: int, total: int = 100, name: str = ""
) -> Progress:
    """Give the callback of one part of the work, which takes it from ``start`` to ``end``.

    Both are counted in ``total``, the whole of the work; ``name`` comes before the part's own
    messages. :func:`silent` if ``progress`` is None.
    """
    if progress is None:
        return silent

    def forward(done: int, all_of_it: int, message: str) -> None:
        reached = start + (end - start) * done // max(all_of_it, 1)
        progress(reached, total, f"{name}: {message}" if name else message)

    return forward
