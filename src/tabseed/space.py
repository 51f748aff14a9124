"""Search spaces: the values that a setting may take, declared in the class that has the setting.

Every value has a coordinate u in [0, 1], so any method that fills a cube can search any space:
``value(u)`` returns the value at a coordinate, and ``coordinate(value)`` the middle of the
coordinates at which that value lies. A model of an objective sees ``features(u)``: one feature for
a number, and for a choice among k values k features, 0 or 1, which put no order on the values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tabseed.errors import TabseedError, one_line

DIGITS = 6  # of a Float's values, so that settings can be read, written and compared


class Dimension:
    """The values that a setting may take."""

    @property
    def size(self) -> float:
        """The number of values; infinite for real numbers."""
        return math.inf

    def coordinates(self) -> np.ndarray:
        """Return the coordinates of all values, (size,), if there are finitely many."""
        raise NotImplementedError

    def value(self, u: float) -> Any:
        """Return the value at a coordinate."""
        raise NotImplementedError

    def coordinate(self, value: Any) -> float:
        """Return the coordinate of a value; TabseedError if the dimension does not have it."""
        raise NotImplementedError

    def features(self, u: np.ndarray) -> np.ndarray:
        """Return the features of the values at coordinates (m,): (m, w)."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return the dimension in the form that JSON stores."""
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
            raise TabseedError(
                f"{one_line(repr(self))}: low and high must be finite numbers of its kind, "
                "low < high"
            )
        if not isinstance(self.log, bool):
            raise TabseedError(f"{one_line(repr(self))}: log is True or False")
        if self.log and self.low <= 0:
            raise TabseedError(f"{self}: a logarithmic range must start above 0")

    @property
    def _ends(self) -> tuple[float, float]:
        """The points of the scale at coordinates 0 and 1."""
        raise NotImplementedError

    def _scale(self, value: float) -> float:
        return math.log(value) if self.log else float(value)

    def _numbers(self, u: np.ndarray) -> np.ndarray:
        low, high = self._ends
        x = low + u * (high - low)
        return np.exp(x) if self.log else x

    def _coordinates(self, x: np.ndarray) -> np.ndarray:
        low, high = self._ends
        return ((np.log(x) if self.log else x) - low) / (high - low)

    def coordinate(self, value: Any) -> float:
        number = isinstance(value, self.kinds) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high:
            raise TabseedError(f"{value!r} is not in {self}")
        return float(np.clip(self._coordinates(np.asarray(value)), 0.0, 1.0))


@dataclass(frozen=True)
class Float(_Range):
    """Real numbers from ``low`` to ``high``, ends included; ``log``: spread evenly by logarithm."""

    kinds = (int, float)

    @property
    def _ends(self) -> tuple[float, float]:
        return self._scale(self.low), self._scale(self.high)

    def value(self, u: float) -> float:
        """Return the number at a coordinate, to 6 digits."""
        rounded = float(f"{float(self._numbers(np.asarray(u))):.{DIGITS}g}")
        return float(min(max(rounded, self.low), self.high))

    def features(self, u: np.ndarray) -> np.ndarray:
        """Return the coordinates themselves, (m, 1)."""
        return np.asarray(u, dtype=np.float64)[:, None]


@dataclass(frozen=True)
class Int(_Range):
    """Whole numbers from ``low`` to ``high``, ends included; ``log``: spread evenly by logarithm.

    Each number k has the coordinates of the reals from k - 1/2 to k + 1/2.
    """

    kinds = (int,)

    @property
    def size(self) -> float:
        """The number of whole numbers."""
        return float(self.high - self.low + 1)

    @property
    def _ends(self) -> tuple[float, float]:
        return self._scale(self.low - 0.5), self._scale(self.high + 0.5)

    def _whole(self, u: np.ndarray) -> np.ndarray:
        return np.asarray(np.clip(np.rint(self._numbers(u)), self.low, self.high))

    def value(self, u: float) -> int:
        """Return the number at a coordinate."""
        return int(self._whole(np.asarray(u)))

    def coordinates(self) -> np.ndarray:
        """Return the coordinates of all numbers, (size,)."""
        return self._coordinates(np.arange(self.low, self.high + 1))

    def features(self, u: np.ndarray) -> np.ndarray:
        """Return the coordinates of the whole numbers, (m, 1)."""
        return self._coordinates(self._whole(u))[:, None]


@dataclass(frozen=True)
class Choice(Dimension):
    """One of several values (text, numbers, True, False, None), in no order."""

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.values, tuple | list):
            raise TabseedError(
                f"a Choice takes its values in a tuple, got {one_line(repr(self.values))}"
            )
        object.__setattr__(self, "values", tuple(self.values))
        for value in self.values:
            plain = value is None or isinstance(value, str | bool | int | float)
            if not plain or (isinstance(value, float) and not math.isfinite(value)):
                raise TabseedError(
                    f"a Choice takes text, numbers, bools or None, got {one_line(repr(value))}"
                )
        if len({(type(v), v) for v in self.values}) < max(len(self.values), 2):
            raise TabseedError(f"a Choice takes two or more values, all different: {self}")

    @property
    def size(self) -> float:
        """The number of values."""
        return float(len(self.values))

    def _number(self, u: np.ndarray) -> np.ndarray:
        k = len(self.values)
        return np.clip((np.asarray(u) * k).astype(np.int64), 0, k - 1)

    def value(self, u: float) -> Any:
        """Return the value at a coordinate."""
        return self.values[int(self._number(np.asarray(u)))]

    def coordinates(self) -> np.ndarray:
        """Return the coordinates of all values, (size,)."""
        return (np.arange(len(self.values)) + 0.5) / len(self.values)

    def coordinate(self, value: Any) -> float:
        """Return the coordinate of a value; 1, 1.0 and True are different values."""
        for k, known in enumerate(self.values):
            if type(known) is type(value) and known == value:
                return float(self.coordinates()[k])
        raise TabseedError(f"{value!r} is not in {self}")

    def features(self, u: np.ndarray) -> np.ndarray:
        """Return 1 for the value and 0 for the others, (m, size)."""
        return np.asarray(np.eye(len(self.values))[self._number(u)])


DIMENSIONS: dict[str, Any] = {"Float": Float, "Int": Int, "Choice": Choice}


class Space:
    """Several settings together: d dimensions by name; m points are coordinates (m, d)."""

    def __init__(self, dimensions: Mapping[str, Dimension]) -> None:
        for name, dimension in dimensions.items():
            if not isinstance(name, str) or not isinstance(dimension, Dimension):
                raise TabseedError(f"{name!r}: {dimension!r} is not an Int, a Float or a Choice")
        self.dimensions = dict(dimensions)

    def __len__(self) -> int:
        return len(self.dimensions)

    @property
    def size(self) -> float:
        """The number of different points."""
        return math.prod((d.size for d in self.dimensions.values()), start=1.0)

    @property
    def ordered(self) -> np.ndarray:
        """Which dimensions are numbers, (d,) bool."""
        return np.array([isinstance(d, _Range) for d in self.dimensions.values()], dtype=bool)

    def settings(self, u: np.ndarray) -> dict[str, Any]:
        """Return the settings at a point (d,)."""
        pairs = zip(self.dimensions.items(), u, strict=True)
        return {name: d.value(float(coordinate)) for (name, d), coordinate in pairs}

    def point(self, settings: Mapping[str, Any]) -> np.ndarray:
        """Return the point (d,) of settings; TabseedError names a setting that does not fit."""
        if settings.keys() != self.dimensions.keys():
            raise TabseedError(
                f"the settings must be {sorted(self.dimensions)}, got {sorted(settings, key=str)}"
            )
        point = []
        for name, dimension in self.dimensions.items():
            try:
                point.append(dimension.coordinate(settings[name]))
            except TabseedError as error:
                raise TabseedError(f"{name}: {error}") from error
        return np.array(point, dtype=np.float64)

    def features(self, u: np.ndarray) -> np.ndarray:
        """Return what a model sees of points (m, d): (m, w)."""
        parts = [d.features(u[:, k]) for k, d in enumerate(self.dimensions.values())]
        return np.concatenate(parts, axis=1) if parts else np.empty((len(u), 0))

    def grid(self) -> np.ndarray:
        """Return every point of a finite space, (size, d)."""
        axes = [d.coordinates() for d in self.dimensions.values()]
        mesh = np.meshgrid(*axes, indexing="ij")
        return np.stack([m.ravel() for m in mesh], axis=1) if mesh else np.empty((1, 0))

    def to_dict(self) -> dict[str, Any]:
        """Return the space in the form that JSON stores."""
        return {name: d.to_dict() for name, d in self.dimensions.items()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Mapping[str, Any]]) -> Space:
        """Return the space that :meth:`to_dict` describes."""
        dimensions = {}
        for name, fields in plain.items():
            parameters = dict(fields)
            dimensions[name] = DIMENSIONS[parameters.pop("kind")](**parameters)
        return cls(dimensions)
