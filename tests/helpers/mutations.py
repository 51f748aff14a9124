"""Small changes of documents and arrays, by chance: what a damaged or hostile file may hold."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np

STRANGE = (-1, 0, 2, 1_000_000, 10**30, 1e308, 0.5, True, None, "", "\x1b[31m", [], [[]], {"a": 1})
NUMBERS = (np.nan, np.inf, -np.inf, 1e308, -1.0, 0.5, 1e-320)
INDICES = (-1, 5, 1_000_000, 2**63 - 1, -(2**63))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values inside a document."""
    inside: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        inside = enumerate(value)
    return [path, *(p for key, item in inside for p in places(item, (*path, key)))]


def changed_document(document: Any, rng: random.Random) -> Any:
    """Return a copy in which one value is replaced or dropped."""
    document = copy.deepcopy(document)
    path = rng.choice([p for p in places(document) if p and p[0] != "versions"])
    owner = document
    for key in path[:-1]:
        owner = owner[key]
    if rng.random() < 0.2:
        del owner[path[-1]]
    else:
        owner[path[-1]] = copy.deepcopy(rng.choice(STRANGE))
    return document


def changed_array(value: np.ndarray, rng: random.Random) -> np.ndarray:
    """Return a copy of another shape or type, or with another number in it."""
    act = rng.randrange(6)
    if act == 0 or not value.size:
        return np.zeros((*value.shape, 2), value.dtype)
    if act == 1:
        return value[:-1].copy() if value.ndim else value[None]
    if act == 2:
        return value.astype(np.float64 if value.dtype.kind != "f" else np.int64)
    value = value.copy()
    new = rng.choice(NUMBERS if value.dtype.kind == "f" else INDICES)
    with np.errstate(over="ignore"):
        value.reshape(-1)[rng.randrange(value.size)] = np.array(new).astype(value.dtype)
    return value
