"""The values that parameters may have: declared once in their class, checked before any work.

A class declares its ``parameters`` by name, each :class:`Whole`, :class:`Real`, :class:`OneOf` and
so on; ``search=`` says which of these values a tuner tries (:mod:`tabseed.space`). Two functions
read the declaration: :func:`check_parameters` and :func:`searched`.
"""

from __future__ import annotations

import functools
import inspect
import math
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np

from tabseed.errors import ParameterError, TabseedError, shortened
from tabseed.space import Dimension

T = TypeVar("T")
Called = TypeVar("Called", bound=Callable[..., Any])

SHOWN = 60  # characters of a refused value that a message shows
STRANGERS = (None, True, math.nan, math.inf, -math.inf, "3", "no such value", (), (None,), object())


@dataclass(frozen=True)
class Allowed:
    """The values that a parameter may have; messages put its text after the words "is not".

    ``search``: the values among these that a tuner tries, if it may set the parameter.
    """

    search: Dimension | None = field(default=None, kw_only=True)

    def accepts(self, value: Any) -> bool:
        """Return whether the parameter may have this value."""
        raise NotImplementedError

    def outside(self) -> list[Any]:
        """Return some values that are refused: just beyond each end, and of other types."""
        return [v for v in (*self._beyond(), *STRANGERS) if not self.accepts(v)]

    def _beyond(self) -> tuple[Any, ...]:
        return ()


@dataclass(frozen=True)
class Real(Allowed):
    """A finite number, at least ``low`` or ``above`` it, at most ``high`` or ``below`` it."""

    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None

    noun: ClassVar[str] = "a number"
    kinds: ClassVar[tuple[type, ...]] = (int, float, np.integer, np.floating)

    def accepts(self, value: Any) -> bool:
        """Return whether this is a number in the range; True and False are not numbers."""
        number = isinstance(value, self.kinds) and not isinstance(value, bool)
        if not number or not (isinstance(value, int | np.integer) or math.isfinite(value)):
            return False
        return bool(
            (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def _beyond(self) -> tuple[Any, ...]:
        ends = [e for e in (self.low, self.high, self.above, self.below) if e is not None]
        return (*ends, *(e - 1 for e in ends), *(e + 1 for e in ends), *(str(e) for e in ends))

    def __str__(self) -> str:
        if self.low is not None and self.high is not None:
            return f"{self.noun} from {self.low:g} to {self.high:g}"
        ends = (
            (self.low, "of at least {:g}"),
            (self.above, "above {:g}"),
            (self.high, "of at most {:g}"),
            (self.below, "below {:g}"),
        )
        texts = [text.format(end) for end, text in ends if end is not None]
        return f"{self.noun} {' and '.join(texts)}" if texts else self.noun


@dataclass(frozen=True)
class Whole(Real):
    """A whole number: an int, or an integer of numpy."""

    noun = "a whole number"
    kinds = (int, np.integer)

    def _beyond(self) -> tuple[Any, ...]:
        return (*super()._beyond(), (self.low or 0) + 0.5, float(self.low or 0) + 2)


@dataclass(frozen=True)
class OneOf(Allowed):
    """One of several values: text, numbers, None."""

    values: tuple[Any, ...]

    def accepts(self, value: Any) -> bool:
        """Return whether this is one of the values; True is not 1."""
        return any(
            isinstance(value, type(v))
            and isinstance(value, bool) == isinstance(v, bool)
            and bool(value == v)
            for v in self.values
        )

    def __str__(self) -> str:
        return f"one of {', '.join(repr(v) for v in self.values)}"


@dataclass(frozen=True)
class InstanceOf(Allowed):
    """An instance of ``cls``, not the class itself; ``noun`` says what that is."""

    cls: type | tuple[type, ...]
    noun: str = ""

    def accepts(self, value: Any) -> bool:
        """Return whether this is an instance."""
        return isinstance(value, self.cls)

    def _beyond(self) -> tuple[Any, ...]:
        return self.cls if isinstance(self.cls, tuple) else (self.cls,)

    def __str__(self) -> str:
        return self.noun or f"a {self._beyond()[0].__name__}"


@dataclass(frozen=True)
class Having(Allowed):
    """An object with the attributes ``names``; it may be a class only if ``classes``."""

    names: tuple[str, ...]
    noun: str
    classes: bool = False

    def accepts(self, value: Any) -> bool:
        """Return whether this has all the attributes."""
        sort = self.classes or not isinstance(value, type)
        return sort and all(hasattr(value, name) for name in self.names)

    def __str__(self) -> str:
        return self.noun


@dataclass(frozen=True)
class Each(Allowed):
    """A list, tuple or array of ``least`` values or more, each of them allowed by ``of``."""

    of: Allowed
    least: int = 1

    def accepts(self, value: Any) -> bool:
        """Return whether each value is allowed."""
        flat = value.ndim == 1 if isinstance(value, np.ndarray) else isinstance(value, list | tuple)
        return flat and len(value) >= self.least and all(self.of.accepts(v) for v in value)

    def _beyond(self) -> tuple[Any, ...]:
        return tuple((v,) * self.least for v in self.of.outside())

    def __str__(self) -> str:
        return f"a tuple of {self.least} or more, each {self.of}"


@dataclass(frozen=True)
class Named(Allowed):
    """A dictionary of texts to values, one or more, each of them allowed by ``of``."""

    of: Allowed

    def accepts(self, value: Any) -> bool:
        """Return whether each key is a text and each value is allowed."""
        return (
            isinstance(value, Mapping)
            and len(value) > 0
            and all(isinstance(k, str) and self.of.accepts(v) for k, v in value.items())
        )

    def _beyond(self) -> tuple[Any, ...]:
        return ({}, {0: None}, *({"a": v} for v in self.of.outside()))

    def __str__(self) -> str:
        return f"a dictionary of one name or more, each to {self.of}"


@dataclass(frozen=True)
class Names(Allowed):
    """A list, tuple or set of texts, none or more; a single text is not one."""

    def accepts(self, value: Any) -> bool:
        """Return whether this is a collection of texts."""
        several = isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)
        return several and all(isinstance(name, str) for name in value)

    def __str__(self) -> str:
        return "a list of texts"


@dataclass(frozen=True)
class NamesWithTexts(Names):
    """The same, or a mapping of texts to such collections."""

    def accepts(self, value: Any) -> bool:
        """Return whether this is a collection of texts, or a mapping of texts to them."""
        if not isinstance(value, Mapping):
            return super().accepts(value)
        return super().accepts(list(value)) and all(map(super().accepts, value.values()))

    def __str__(self) -> str:
        return "a list of texts, or a dict of texts to lists of texts"


@dataclass(frozen=True)
class Pair(Allowed):
    """A tuple or list of two values of any sort; ``noun`` says which."""

    noun: str

    def accepts(self, value: Any) -> bool:
        """Return whether these are two values."""
        return isinstance(value, tuple | list) and len(value) == 2

    def __str__(self) -> str:
        return self.noun


@dataclass(frozen=True)
class AnyOf(Allowed):
    """Everything that one of several options allows; ``noun`` is a shorter text for them."""

    options: tuple[Allowed, ...]
    noun: str = ""

    def accepts(self, value: Any) -> bool:
        """Return whether one of the options allows this."""
        return any(option.accepts(value) for option in self.options)

    def _beyond(self) -> tuple[Any, ...]:
        return tuple(v for option in self.options for v in option._beyond())

    def __str__(self) -> str:
        return self.noun or ", or ".join(str(option) for option in self.options)


Parameters = Mapping[str, Allowed]

NONE = InstanceOf(type(None), "None")
FLAG = InstanceOf((bool, np.bool_), "True or False")
TEXT = InstanceOf(str, "text")
MAPPING = InstanceOf(Mapping, "a dictionary")
FUNCTION = Having(("__call__",), "a function")
ESTIMATOR = Having(("fit", "get_params"), "a scikit-learn estimator")
_STREAM = InstanceOf((np.random.Generator, np.random.RandomState, np.random.SeedSequence))
SEED = AnyOf(
    (Whole(0), _STREAM, NONE),
    "a whole number of at least 0, a Generator, RandomState or SeedSequence of numpy, or None",
)
PATH = InstanceOf((str, os.PathLike), "a path (text or a pathlib.Path)")
GENERATOR = Having(("fit", "sample", "get_params"), "a generator such as SequentialTrees()")
N_JOBS = AnyOf((Whole(1), Whole(high=-1), NONE), "a whole number other than 0, or None")


def or_none(allowed: Allowed, *, search: Dimension | None = None) -> AnyOf:
    """Return what also allows None."""
    return AnyOf((allowed, NONE), search=search or allowed.search)


def shown(value: object) -> str:
    """Return a value as text for a message: one line, not too long."""
    return shortened(repr(value), SHOWN)


def check(where: str, name: str, value: Any, allowed: Allowed) -> None:
    """Raise ParameterError, in one line, for an argument with a value that is not allowed."""
    if not allowed.accepts(value):
        message = f"{where}: {name}={shown(value)} is not {allowed}"
        raise ParameterError(message, name, value, str(allowed))


def checked(**allowed: Allowed) -> Callable[[Called], Called]:
    """Check the named arguments of a function or method, in this order, before it runs.

    It then raises TabseedError, in one line, as :func:`check` does.
    """

    def decorate(function: Called) -> Called:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            try:
                given = signature.bind(*args, **kwargs).arguments
            except TypeError:  # Python's own message names the function
                return function(*args, **kwargs)
            for name, values in allowed.items():
                if name in given:
                    check(function.__qualname__, name, given[name], values)
            return function(*args, **kwargs)

        return wrapper  # type: ignore[return-value]

    return decorate


def as_numbers(name: str, values: Any) -> np.ndarray:
    """Return an argument as an array of float64; TabseedError if it is none."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise TabseedError(f"{name}={shown(values)} is not an array of numbers") from error


def given_or_default(settings: T | None, kind: type[T]) -> T:
    """Return the settings, or those by default for None; TabseedError for another type."""
    if settings is not None and not isinstance(settings, kind):
        raise TabseedError(f"settings={shown(settings)} is not a {kind.__name__} or None")
    return kind() if settings is None else settings


def check_parameters(owner: Any) -> None:
    """Check the parameters that ``owner`` declares, and those of the estimators among them.

    Raises TabseedError in one line that names the class, the parameter, the value and its range.
    """
    for name, allowed in owner.parameters.items():
        value = getattr(owner, name)
        check(type(owner).__name__, name, value, allowed)
        several = value.values() if isinstance(value, Mapping) else value
        for inner in several if isinstance(value, list | tuple | Mapping) else (value,):
            if isinstance(getattr(type(inner), "parameters", None), Mapping):
                check_parameters(inner)


def searched(parameters: Mapping[str, Allowed]) -> dict[str, Dimension]:
    """Return what a tuner may set: the ``search`` of each parameter that has one."""
    return {name: allowed.search for name, allowed in parameters.items() if allowed.search}
