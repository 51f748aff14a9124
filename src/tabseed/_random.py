"""Randomness as an argument: one ``random_state`` decides all of it; global state is untouched.

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

from tabseed.errors import TabseedError, printable

RandomState = int | np.random.Generator | np.random.RandomState | np.random.SeedSequence | None


def seed_sequence(random_state: RandomState) -> np.random.SeedSequence:
    """Turn anything that a ``random_state`` may be into a SeedSequence.

    ``None`` is fresh entropy. A Generator, and a RandomState as scikit-learn's users pass it, give
    numbers of their own and so advance: the next use of the same one gives another stream.
    Raises TabseedError for anything else.
    """
    if random_state is None or isinstance(random_state, np.random.SeedSequence):
        return random_state or np.random.SeedSequence()
    if isinstance(random_state, np.random.Generator):
        return np.random.SeedSequence(random_state.integers(0, 2**63, size=4).tolist())
    if isinstance(random_state, np.random.RandomState):
        words = random_state.randint(0, 2**32, size=8, dtype=np.uint32)
        return np.random.SeedSequence(words.tolist())
    whole = isinstance(random_state, int | np.integer) and not isinstance(random_state, bool)
    if not whole or random_state < 0:
        raise TabseedError(
            f"random_state={printable(repr(random_state))} is not a whole number of at least 0, a "
            "Generator, RandomState or SeedSequence of numpy, or None"
        )
    return np.random.SeedSequence(int(random_state))


def child(parent: np.random.SeedSequence, *path: int) -> np.random.SeedSequence:
    """Return the independent stream at ``path`` below ``parent``; it is the same each time."""
    return np.random.SeedSequence(parent.entropy, spawn_key=(*parent.spawn_key, *path))


def seed_text(stream: np.random.SeedSequence) -> str:
    """Return as text the seed of a stream and, if it has one, the path from the seed to the stream.

    >>> seed_text(seed_sequence(3)), seed_text(child(seed_sequence(3), 1005))
    ('3', '3, stream 1005')
    """
    path = ".".join(map(str, stream.spawn_key))
    return f"{stream.entropy}, stream {path}" if path else str(stream.entropy)


def generator(random_state: RandomState) -> np.random.Generator:
    """Return a numpy Generator; one that is passed in is returned unchanged."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    return np.random.default_rng(seed_sequence(random_state))


def at_most(n: int, most: int, stream: np.random.SeedSequence) -> np.ndarray:
    """Return the indices of ``most`` of n rows, chosen at random, in order; of all if n <= most."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(stream).permutation(n)[:most])


def int_seed(stream: np.random.SeedSequence) -> int:
    """Return a 31-bit seed for libraries that take only integers (scikit-learn)."""
    return int(stream.generate_state(1)[0] >> 1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit numerical libraries to one thread, so that sums do not depend on the number of cores.

    BLAS and OpenMP split sums by thread. With more threads their last bits, and so every later
    draw, would depend on the settings of the machine.
    """
    with threadpool_limits(limits=1):
        torch = _imported_torch()
        if torch is None:
            yield
            return
        n_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(n_threads)


def _imported_torch() -> Any:
    import sys

    return sys.modules.get("torch")
