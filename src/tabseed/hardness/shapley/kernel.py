"""Compiled loops of KNN-Shapley: ranks by radix sort, the closed form in one pass from far to near.

Results equal those of ``closed_forms`` except for the order of sums. Needs numba. Compiled code is
not cached, because numba would cache it in pickles.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

DIGIT = 11  # bits per pass of the sort: its 2048 counters fit in the fastest cache
MASK = (1 << DIGIT) - 1
COARSE = 15  # bits, of the 31 of a distance, that are dropped where only its rough size matters
BUCKETS = 1 << (31 - COARSE)

compiled = njit(nogil=True, error_model="numpy")


class Players(NamedTuple):
    """The n rows of a game and its rules.

    ``half`` (n,) is |x|²/2; ``labels`` (n,) int64; ``sizes`` are the numbers of rows of
    the classes; ``neighbours`` the values of K; ``harmonic`` H_0 to H_n; ``width``, ``kept`` and
    ``stable`` are as in ``closed_forms.Tie``.
    """

    half: np.ndarray
    labels: np.ndarray
    sizes: np.ndarray
    neighbours: np.ndarray
    harmonic: np.ndarray
    width: float
    kept: int
    stable: bool


class Room(NamedTuple):
    """Working memory for one reference row: ``keys`` by rank, and ``codes``, 2 row + match."""

    keys: np.ndarray
    codes: np.ndarray
    records: np.ndarray
    spare: np.ndarray
    narrow: np.ndarray
    digits: np.ndarray
    buckets: np.ndarray


def room_for(n: int) -> Room:
    """Return working memory for n players."""
    return Room(
        keys=np.empty(n),
        codes=np.empty(n, dtype=np.int64),
        records=np.empty(n, dtype=np.uint64),
        spare=np.empty(n, dtype=np.uint64),
        narrow=np.empty(n, dtype=np.float32),
        digits=np.empty((3, MASK + 1), dtype=np.int64),
        buckets=np.empty(BUCKETS, dtype=np.int64),
    )


@compiled
def add_block(
    products: np.ndarray,
    squared: np.ndarray,
    labels: np.ndarray,
    shift: np.ndarray,
    players: Players,
    sums: np.ndarray,
    room: Room,
) -> None:
    """Add the values from B reference rows, and their squares, to ``sums`` (n, Ks, 2).

    ``products`` (B, n) are x·t and are overwritten; ``squared`` (B,) is |t|²; ``shift`` (B, Ks, 2)
    is added to the values of players that do not match and of those that do.
    """
    n, n_classes = len(players.half), len(players.sizes)
    # the values of unranked players by class, added to all; _walk corrects those of ranked ones
    unranked = np.zeros((n_classes, len(players.neighbours), 2))
    for j in range(len(products)):
        n_ranked = rank(products[j], squared[j], labels[j], players, room)
        matches_beyond = players.sizes[labels[j]]
        for r in range(n_ranked):
            matches_beyond -= room.codes[r] & 1
        for h in range(len(players.neighbours)):
            k = players.neighbours[h]
            own, within, tail = _group(n_ranked, n, matches_beyond, k, players.harmonic)
            miss = shift[j, h, 0] - matches_beyond * within
            hit = shift[j, h, 1] + own - (matches_beyond - 1) * within
            if n_ranked < n:
                for c in range(n_classes):
                    value = hit if c == labels[j] else miss
                    unranked[c, h, 0] += value
                    unranked[c, h, 1] += value * value
            else:
                miss = hit = 0.0
            _walk((n_ranked, tail, miss, hit), (squared[j], k, h), shift[j, h], players, sums, room)
    if players.kept < n:
        for i in range(n):
            for h in range(len(players.neighbours)):
                sums[i, h, 0] += unranked[players.labels[i], h, 0]
                sums[i, h, 1] += unranked[players.labels[i], h, 1]


@compiled
def _walk(
    start: tuple[int, float, float, float],
    game: tuple[float, int, int],
    shift: np.ndarray,
    players: Players,
    sums: np.ndarray,
    room: Room,
) -> None:
    """Add the values from one reference row, from rank ``last`` to the nearest.

    Ranks beyond ``last`` subtract ``tail`` from each value. ``miss`` and ``hit`` were already added
    to all players, so they are subtracted again.
    """
    last, tail, miss, hit = start
    squared, k, h = game
    codes = room.codes
    while last > 0:
        first = last - 1
        while not players.stable and first > 0 and _tied(first, squared, players, room):
            first -= 1
        if first == last - 1:  # most ranks are not tied, and need no group
            match = codes[first] & 1
            value = match / max(last, k) - tail + shift[match]
            _add(sums[codes[first] >> 1, h], value, hit if match else miss)
            if last > k:
                tail += match / (last * (last - 1.0))
        else:
            matches = 0
            for r in range(first, last):
                matches += codes[r] & 1
            own, within, further = _group(first, last, matches, k, players.harmonic)
            for r in range(first, last):
                match = codes[r] & 1
                value = match * own - (matches - match) * within - tail + shift[match]
                _add(sums[codes[r] >> 1, h], value, hit if match else miss)
            tail += further
        last = first


@compiled
def _add(sums: np.ndarray, value: float, before: float) -> None:
    sums[0] += value - before
    sums[1] += value * value - before * before


@compiled
def _tied(r: int, squared: float, players: Players, room: Room) -> bool:
    """Return whether the players at rank indices r and r - 1 are tied."""
    return bool(room.keys[r] - room.keys[r - 1] <= players.width * (room.keys[r] + squared))


@compiled
def _group(
    first: int, last: int, matches: int, k: int, harmonic: np.ndarray
) -> tuple[float, float, float]:
    """Return what a tied player gains by its match, loses by another's, and nearer ones lose.

    The formulas are those of ``closed_forms.mean_of_nearest``.
    """
    size = last - first
    counted = min(k, len(harmonic) - 1)
    lower, upper = max(first, counted), max(last, counted)
    own = (min(last, k) - min(first, k)) / k + harmonic[upper] - harmonic[lower]
    farther = 1.0 / lower - 1.0 / upper
    within = harmonic[upper - 1] - harmonic[lower - 1] - (first + 1) * farther
    return own / max(size, 1), within / max(size * (size - 1), 1), matches * farther / max(size, 1)


@compiled
def rank(key: np.ndarray, squared: float, label: int, players: Players, room: Room) -> int:
    """Rank the nearest players by distance to one reference row; return how many are ranked.

    These are the first ``players.kept`` ones and those tied with the last of them. ``key`` (n,)
    contains x·t and is overwritten with |x|²/2 - x·t.
    """
    low = np.inf
    for i in range(len(key)):
        key[i] = players.half[i] - key[i]
        low = min(low, key[i])
    # keys tied with the nearest differ only by rounding, which float32 would resolve near 0
    negligible = players.width * (low + squared)
    for i in range(len(key)):
        room.narrow[i] = key[i] - low if key[i] - low > negligible else 0.0
    bucket = BUCKETS - 1
    if players.kept < len(key):
        bits = room.narrow.view(np.uint32)
        room.buckets[:] = 0
        for i in range(len(key)):
            room.buckets[bits[i] >> COARSE] += 1
        n_below = bucket = 0
        while n_below < players.kept:
            n_below += room.buckets[bucket]
            bucket += 1
        bucket -= 1
    while True:
        count = _sort(key, (squared, label, bucket), players, room)
        limit = room.keys[players.kept - 1]
        limit += players.width * (limit + squared)
        if count == len(key) or room.keys[count - 1] > limit:
            break
        bucket += 1
        while room.buckets[bucket] == 0:
            bucket += 1
    n_ranked = players.kept
    while n_ranked < count and room.keys[n_ranked] <= limit:
        n_ranked += 1
    if players.stable:
        for r in range(1, n_ranked):
            code, at = room.codes[r], r
            while at > 0 and room.codes[at - 1] > code and _tied(at, squared, players, room):
                room.codes[at] = room.codes[at - 1]
                at -= 1
            room.codes[at] = code
    return n_ranked


@compiled
def _sort(key: np.ndarray, which: tuple[float, int, int], players: Players, room: Room) -> int:
    """Sort the players whose float32 distance lies in the buckets up to one; return how many.

    A radix sort on float32 keeps the row order of keys that float32 cannot tell apart. Among these
    the float64 keys decide, unless they are tied.
    """
    squared, label, bucket = which
    bits, digits = room.narrow.view(np.uint32), room.digits
    records, spare = room.records, room.spare
    digits[:] = 0
    count = 0
    for i in range(len(key)):
        if bits[i] >> COARSE <= bucket:
            digits[0, bits[i] & MASK] += 1
            digits[1, (bits[i] >> DIGIT) & MASK] += 1
            digits[2, bits[i] >> 2 * DIGIT] += 1
            code = 2 * i + (players.labels[i] == label)
            records[count] = np.uint64(bits[i]) << np.uint64(32) | np.uint64(code)
            count += 1
    for p in range(3):
        at, starts = 0, digits[p]
        for b in range(len(starts)):
            at, starts[b] = at + starts[b], at
        shift = np.uint64(32 + DIGIT * p)
        for r in range(count):
            digit = (records[r] >> shift) & np.uint64(MASK)
            spare[starts[digit]] = records[r]
            starts[digit] += 1
        records, spare = spare, records
    for r in range(count):
        code = np.int64(records[r] & np.uint64(0xFFFFFFFF))
        own, at = key[code >> 1], r
        while at > 0 and room.keys[at - 1] - own > players.width * (own + squared):
            room.keys[at], room.codes[at] = room.keys[at - 1], room.codes[at - 1]
            at -= 1
        room.keys[at], room.codes[at] = own, code
    return count
