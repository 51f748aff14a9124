"""Search spaces: the values that a setting may take, declared beside what has the setting.

Every value has a place u in [0, 1], so that any method that fills a cube searches any space:
``value(u)`` gives the value at a place, ``place(value)`` the middle of the places that give it.
A model of an objective sees ``features(u)``: one coordinate for a number, k of 0 and 1 for a
choice among k, which puts no order on them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tabseed.errors import TabseedError

DIGITS = 6  # of a Float's values, so that settings can be read, written and compared


class Dimension:
    """What a setting may be."""

    @property
    def size(self) -> float:
        """How many values there are; infinite for real numbers."""
        return math.inf

    def places(self) -> np.ndarray:
        """Give the places of all values, (size,), if they are finitely many."""
        raise NotImplementedError

    def value(self, u: float) -> Any:
        """Give the value at a place."""
        raise NotImplementedError

    def place(self, value: Any) -> float:
        """Give the place of a value; TabseedError if it is none of this dimension's."""
        raise NotImplementedError

    def features(self, u: np.ndarray) -> np.ndarray:
        """Give the features of the values at places (m,): (m, w)."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Give the dimension as JSON holds it."""
        return {"kind": type(self).__name__, **vars(self)}


@dataclass(frozen=True)
class _Range(Dimension):
    low: Any
    high: Any
    log: bool = False

    kinds: ClassVar[tuple[type, ...]]

    def __post_init__(self) -> None:
        ends = (self.low, self.high)
        sound = all(isinstance(e, self.kinds) and not isinstance(e, bool) for e in ends)
        if not sound or not -math.inf < self.low < self.high < math.inf:
            raise TabseedError(f"{self}: low and high are finite numbers of its kind, low < high")
        if self.log and self.low <= 0:
            raise TabseedError(f"{self}: a logarithmic range starts above 0")

    @property
    def _ends(self) -> tuple[float, float]:
        """Where places 0 and 1 lie on the scale."""
        raise NotImplementedError

    def _scale(self, value: float) -> float:
        return math.log(value) if self.log else float(value)

    def _numbers(self, u: np.ndarray) -> np.ndarray:
        low, high = self._ends
        x = low + u * (high - low)
        return np.exp(x) if self.log else x

    def _places(self, x: np.ndarray) -> np.ndarray:
        low, high = self._ends
        return ((np.log(x) if self.log else x) - low) / (high - low)

    def place(self, value: Any) -> float:
        number = isinstance(value, self.kinds) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high:
            raise TabseedError(f"{value!r} is not in {self}")
        return float(np.clip(self._places(np.asarray(value)), 0.0, 1.0))


@dataclass(frozen=True)
class Float(_Range):
    """Real numbers from ``low`` to ``high``, ends included; ``log``: even on the logarithm."""

    kinds = (int, float)

    @property
    def _ends(self) -> tuple[float, float]:
        return self._scale(self.low), self._scale(self.high)

    def value(self, u: float) -> float:
        """Give the number at a place, to 6 digits."""
        near = float(f"{float(self._numbers(np.asarray(u))):.{DIGITS}g}")
        return float(min(max(near, self.low), self.high))

    def features(self, u: np.ndarray) -> np.ndarray:
        """Give the places themselves, (m, 1)."""
        return np.asarray(u, dtype=np.float64)[:, None]


@dataclass(frozen=True)
class Int(_Range):
    """Whole numbers from ``low`` to ``high``, ends included; ``log``: even on the logarithm.

    Each number k has the places of the reals from k - 1/2 to k + 1/2.
    """

    kinds = (int,)

    @property
    def size(self) -> float:
        """How many numbers there are."""
        return float(self.high - self.low + 1)

    @property
    def _ends(self) -> tuple[float, float]:
        return self._scale(self.low - 0.5), self._scale(self.high + 0.5)

    def _whole(self, u: np.ndarray) -> np.ndarray:
        return np.asarray(np.clip(np.rint(self._numbers(u)), self.low, self.high))

    def value(self, u: float) -> int:
        """Give the number at a place."""
        return int(self._whole(np.asarray(u)))

    def places(self) -> np.ndarray:
        """Give the places of all numbers, (size,)."""
        return self._places(np.arange(self.low, self.high + 1))

    def features(self, u: np.ndarray) -> np.ndarray:
        """Give the places of the whole numbers, (m, 1)."""
        return self._places(self._whole(u))[:, None]


@dataclass(frozen=True)
class Choice(Dimension):
    """One of several values (text, numbers, True, False, None), in no order."""

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.values, tuple | list):
            raise TabseedError(f"a Choice is among values in a tuple, got {self.values!r}")
        object.__setattr__(self, "values", tuple(self.values))
        for value in self.values:
            plain = value is None or isinstance(value, str | bool | int | float)
            if not plain or (isinstance(value, float) and not math.isfinite(value)):
                raise TabseedError(f"a Choice is among text, numbers, bools, None; got {value!r}")
        if len({(type(v), v) for v in self.values}) < max(len(self.values), 2):
            raise TabseedError(f"a Choice is among two values or more, all different: {self}")

    @property
    def size(self) -> float:
        """How many values there are."""
        return float(len(self.values))

    def _number(self, u: np.ndarray) -> np.ndarray:
        k = len(self.values)
        return np.clip((np.asarray(u) * k).astype(np.int64), 0, k - 1)

    def value(self, u: float) -> Any:
        """Give the value at a place."""
        return self.values[int(self._number(np.asarray(u)))]

    def places(self) -> np.ndarray:
        """Give the places of all values, (size,)."""
        return (np.arange(len(self.values)) + 0.5) / len(self.values)

    def place(self, value: Any) -> float:
        """Give the place of a value; 1, 1.0 and True are not the same."""
        for k, known in enumerate(self.values):
            if type(known) is type(value) and known == value:
                return float(self.places()[k])
        raise TabseedError(f"{value!r} is not in {self}")

    def features(self, u: np.ndarray) -> np.ndarray:
        """Give 1 for the value and 0 for the others, (m, size)."""
        return np.asarray(np.eye(len(self.values))[self._number(u)])


DIMENSIONS: dict[str, Any] = {"Float": Float, "Int": Int, "Choice": Choice}


class Space:
    """Several settings together: d dimensions by name; points are places (m, d)."""

    def __init__(self, dimensions: Mapping[str, Dimension]) -> None:
        for name, dimension in dimensions.items():
            if not isinstance(name, str) or not isinstance(dimension, Dimension):
                raise TabseedError(f"{name!r}: {dimension!r} is none of Int, Float, Choice")
        self.dimensions = dict(dimensions)

    def __len__(self) -> int:
        return len(self.dimensions)

    @property
    def size(self) -> float:
        """How many points differ."""
        return math.prod((d.size for d in self.dimensions.values()), start=1.0)

    @property
    def ordered(self) -> np.ndarray:
        """Which dimensions are numbers, (d,) bool."""
        return np.array([isinstance(d, _Range) for d in self.dimensions.values()], dtype=bool)

    def settings(self, u: np.ndarray) -> dict[str, Any]:
        """Give the settings at a point (d,)."""
        pairs = zip(self.dimensions.items(), u, strict=True)
        return {name: d.value(float(place)) for (name, d), place in pairs}

    def point(self, settings: Mapping[str, Any]) -> np.ndarray:
        """Give the point (d,) of settings; TabseedError names the one that does not fit."""
        if settings.keys() != self.dimensions.keys():
            raise TabseedError(
                f"settings are {sorted(self.dimensions)}, got {sorted(settings, key=str)}"
            )
        places = []
        for name, dimension in self.dimensions.items():
            try:
                places.append(dimension.place(settings[name]))
            except TabseedError as error:
                raise TabseedError(f"{name}: {error}") from error
        return np.array(places, dtype=np.float64)

    def features(self, u: np.ndarray) -> np.ndarray:
        """Give what a model sees of points (m, d): (m, w)."""
        parts = [d.features(u[:, k]) for k, d in enumerate(self.dimensions.values())]
        return np.concatenate(parts, axis=1) if parts else np.empty((len(u), 0))

    def grid(self) -> np.ndarray:
        """Give every point of a finite space, (size, d)."""
        axes = [d.places() for d in self.dimensions.values()]
        mesh = np.meshgrid(*axes, indexing="ij")
        return np.stack([m.ravel() for m in mesh], axis=1) if mesh else np.empty((1, 0))

    def to_dict(self) -> dict[str, Any]:
        """Give the space as JSON holds it."""
        return {name: d.to_dict() for name, d in self.dimensions.items()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Mapping[str, Any]]) -> Space:
        """Take back what :meth:`to_dict` gave."""
        found = {}
        for name, given in plain.items():
            how = dict(given)
            found[name] = DIMENSIONS[how.pop("kind")](**how)
        return cls(found)
