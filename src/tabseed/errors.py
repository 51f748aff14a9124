"""Everything that tabseed raises on purpose: one line that says what, where and what to do.

There is one exception: an estimator that is used before ``fit`` raises scikit-learn's
``sklearn.exceptions.NotFittedError``, not a TabseedError, because users of scikit-learn and its
tools (pipelines, searches) catch that.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

Called = TypeVar("Called", bound=Callable[..., Any])


def printable(text: object) -> str:
    """Escape what could control a terminal or break a line; names come from strangers' files."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def one_line(text: object) -> str:
    """Return a text, or that of another value, on one line and printable."""
    return printable(" ".join(str(text).split()))


def shortened(text: object, most: int) -> str:
    """Return a text, or that of another value, as one line of at most ``most`` characters."""
    line = one_line(text)
    return line if len(line) <= most else f"{line[: most - 3]}..."


class TabseedError(Exception):
    """Base of all errors that a user can act on; the command line turns it into exit code 2."""


class SchemaError(TabseedError):
    """A table, or the description of one, does not fit; the message names the column and row."""


class ParameterError(TabseedError):
    """A parameter has a value that it cannot have.

    ``name`` and ``value`` are those of the parameter, ``allowed`` says in words what it may be: the
    command line makes a message of its own from these, because it knows the option.
    """

    def __init__(self, message: str, name: str, value: Any, allowed: str) -> None:
        super().__init__(message)
        self.name, self.value, self.allowed = name, value, allowed

    def __reduce__(self) -> tuple[Any, ...]:  # a worker process passes it on
        return type(self), (str(self), self.name, self.value, self.allowed)


class TooFewRowsError(TabseedError):
    """A method needs more rows than it was given; the message says how many."""


class LeakageError(TabseedError):
    """The judge would see rows that trained what it judges."""


class MissingDependencyError(TabseedError, ImportError):
    """An optional package is missing; the message gives the command that installs it."""


class FileError(TabseedError):
    """A file cannot be read or written: missing, damaged, of another kind, or already there."""


class NothingLearnedError(TabseedError):
    """A training diverged or never improved on its start; other settings may do better."""


class LimitError(NothingLearnedError):
    """No candidate keeps the limit that was set: there are no rows to use."""


class AbsentClassWarning(UserWarning):
    """No hard row is of some class, so no row of it is drawn."""


class OrthogonalSeedsWarning(UserWarning):
    """Averaged seeds have nothing in common: their average is hardly more than a smaller one."""


class NoTargetWarning(UserWarning):
    """A generator of a response was not told which column that is, and took the last one."""


class NotTunedWarning(UserWarning):
    """A second training kept the weights that it started from, so it changed nothing."""


class KnowledgeWarning(UserWarning):
    """What was declared of columns contradicts the rows, beyond chance."""


class LeftOutWarning(UserWarning):
    """Columns of a frame are not learned; the message names them, and says why."""


def not_installed(
    what: str, library: str, package: str = "", *, instead: str = ""
) -> MissingDependencyError:
    """Return the error that ``what`` needs a library, with the command that installs it.

    ``package`` is the name that pip knows, if it is another; ``instead`` says what works without.
    """
    hint = f" (or {instead})" if instead else ""
    return MissingDependencyError(f"{what} needs {library}: pip install {package or library}{hint}")


def renamed(**names: str) -> Callable[[Called], Called]:
    """Accept keyword arguments under their former names for one release.

    ``names`` maps each former name to its present one. A former name raises a
    FutureWarning; both names together raise TabseedError.
    """

    def decorate(function: Called) -> Called:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            for old in names.keys() & kwargs.keys():
                new, where = names[old], function.__qualname__
                if new in kwargs:
                    raise TabseedError(f"{where}: {new} was passed twice, also as {old}")
                warnings.warn(
                    f"{where}: {old} is now called {new}; "
                    f"the name {old} will be removed in the next release",
                    FutureWarning,
                    stacklevel=2,
                )
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return wrapper  # type: ignore[return-value]

    return decorate


class FormerName:
    """The former name of an attribute, which works for one release with a FutureWarning.

    >>> class Answer:
    ...     notes = ("one",)
    ...     warnings = FormerName("notes")
    """

    def __init__(self, present: str) -> None:
        self.present = present

    def __set_name__(self, owner: type, name: str) -> None:
        self.former, self.owner = name, owner.__name__

    def __get__(self, instance: object, owner: type) -> Any:
        if instance is None:
            return self
        warnings.warn(
            f"{self.owner}: {self.former} is now called {self.present}; "
            f"the name {self.former} will be removed in the next release",
            FutureWarning,
            stacklevel=2,
        )
        return getattr(instance, self.present)
