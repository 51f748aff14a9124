"""Randomness as an argument: one ``random_state`` decides everything, global state is untouched.

The only file that makes random streams. A stream is a ``numpy.random.SeedSequence``; children
are addressed by integers (:func:`child`), so that any part of a computation can be redone,
resumed or run elsewhere and still see the numbers that it saw before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

RandomState = int | np.random.Generator | np.random.SeedSequence | None


def seed_sequence(random_state: RandomState) -> np.random.SeedSequence:
    """Turn ``None`` (fresh entropy), an int, a Generator or a SeedSequence into a SeedSequence."""
    if isinstance(random_state, np.random.SeedSequence):
        return random_state
    if isinstance(random_state, np.random.Generator):
        return np.random.SeedSequence(random_state.integers(0, 2**63, size=4).tolist())
    return np.random.SeedSequence(random_state)


def child(parent: np.random.SeedSequence, *path: int) -> np.random.SeedSequence:
    """Give the independent stream at ``path`` below ``parent``; the same each time."""
    return np.random.SeedSequence(parent.entropy, spawn_key=(*parent.spawn_key, *path))


def seed_text(stream: np.random.SeedSequence) -> str:
    """Name the seed that a stream comes from, and where below it the stream lies.

    >>> seed_text(seed_sequence(3)), seed_text(child(seed_sequence(3), 1005))
    ('3', '3, stream 1005')
    """
    path = ".".join(map(str, stream.spawn_key))
    return f"{stream.entropy}, stream {path}" if path else str(stream.entropy)


def generator(random_state: RandomState) -> np.random.Generator:
    """Give a numpy Generator; one that comes in goes out unchanged."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    return np.random.default_rng(seed_sequence(random_state))


def int_seed(stream: np.random.SeedSequence) -> int:
    """Give a 31-bit seed for libraries that take integers only (scikit-learn)."""
    return int(stream.generate_state(1)[0] >> 1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold numerical libraries to one thread, whose sums do not depend on the number of cores.

    BLAS and OpenMP split sums by thread, so their last bits, and with them every draw that
    follows, would otherwise depend on the machine's settings.
    """
    with threadpool_limits(limits=1):
        torch = _imported_torch()
        if torch is None:
            yield
            return
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _imported_torch() -> Any:
    import sys

    return sys.modules.get("torch")
