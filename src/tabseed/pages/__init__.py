"""Answers and their self-contained pages: no network, no script, and all names escaped."""

from __future__ import annotations

import json
import os
import platform
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, ClassVar, final

from tabseed.errors import one_line, printable
from tabseed.estimates import words
from tabseed.table.files import write_text
from tabseed.table.frames import frame_of_rows

if TYPE_CHECKING:
    from jinja2 import Environment

Row = dict[str, Any]
WIDTH, LINES = 98, 12  # of a repr, in characters and lines
FRAGMENT_ROWS = 10  # of the table in a notebook


@dataclass(frozen=True)
class Heading:
    """A column of an answer as people read it: its title, and how its cells are written.

    ``write`` makes a cell's text from the row's values at ``keys``; a cell is empty where one of
    them is None. ``numeric`` cells are aligned to the right.
    """

    title: str
    keys: tuple[str, ...]
    write: Callable[..., str] = words.cell
    numeric: bool = True

    @classmethod
    def text(cls, title: str, key: str) -> Heading:
        """Return a column of text."""
        return cls(title, (key,), str, numeric=False)

    @classmethod
    def number(cls, title: str, key: str, form: str = words.THOUSANDTHS) -> Heading:
        """Return a column of numbers, written by a format specification."""
        return cls(title, (key,), lambda value: words.number(value, form))

    @classmethod
    def span(cls, title: str, low: str, high: str, form: str = words.THOUSANDTHS) -> Heading:
        """Return a column of intervals, from the values at two keys."""
        return cls(title, (low, high), lambda a, b: words.span(a, b, form))

    def cell(self, row: Row) -> str:
        """Write the cell of a row."""
        values = [row[key] for key in self.keys]
        return "" if any(value is None for value in values) else self.write(*values)


class Finding(ABC):
    """The answer to a question: a verdict in words, what limits it, and one table.

    A subclass writes ``verdict``, ``notes``, ``headings``, ``rows`` and ``to_dict``, and names the
    ``title`` and, where it has pictures, the ``_template`` of its page. The command line, the page
    and a notebook all show :meth:`rows` under :attr:`headings`.
    """

    title: ClassVar[str]
    _template: ClassVar[str] = "pages/finding.html"  # below the package

    @property
    @abstractmethod
    def verdict(self) -> str:
        """The answer in one or a few plain sentences."""

    @property
    @abstractmethod
    def notes(self) -> tuple[str, ...]:
        """What limits the answer, and what else is worth knowing: a sentence each."""

    @property
    @abstractmethod
    def headings(self) -> tuple[Heading, ...]:
        """The columns in which :meth:`rows` are shown."""

    @abstractmethod
    def rows(self) -> list[Row]:
        """Return the table of the answer: flat, JSON-ready rows, all with the same keys."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready (no NaN, no infinity)."""

    @final
    def cells(self, rows: Sequence[Row] | None = None) -> list[list[str]]:
        """Return ``rows`` (None: all) as text, a cell for each of :attr:`headings`."""
        rows = self.rows() if rows is None else rows
        headings = self.headings
        return [[heading.cell(row) for heading in headings] for row in rows]

    @final
    def to_frame(self, kind: str = "pandas") -> Any:
        """Return :meth:`rows` as a data frame: "pandas", "polars" or "pyarrow".

        Raises TabseedError for another kind, MissingDependencyError if it is not installed.
        """
        return frame_of_rows(self.rows(), kind)

    @final
    def to_json(self, path: str | os.PathLike[str] | None = None, *, force: bool = False) -> str:
        """Return :meth:`to_dict` as indented JSON; write it to ``path`` if one is named.

        Raises FileError if the file exists already, unless ``force``.
        """
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        if path is not None:
            write_text(text, path, force=force)
        return text

    @final
    def to_html(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        force: bool = False,
        command: str | None = None,
    ) -> str:
        """Return the answer as one self-contained page; write it to ``path`` if one is named.

        ``command``: what makes it again, for its foot. The same answer gives the same text:
        wall-clock time is left out. Raises FileError if the file exists already, unless ``force``.
        """
        settings = {} if command is None else {"made by": command}
        settings |= self._settings() | versions()
        template = environment().get_template(self._template)
        page = template.render(answer=self, settings=settings, title=self.title, **self._page())
        if path is not None:
            write_text(page, path, force=force)
        return page

    def _page(self) -> dict[str, Any]:
        """Return what the template needs besides the answer."""
        return {}

    def _settings(self) -> dict[str, str]:
        """Return the settings that the foot of the page lists."""
        return {}

    @final
    def _repr_html_(self) -> str:
        """Return the verdict, the notes and the first rows for a notebook."""
        rows = self.rows()
        return (
            environment()
            .get_template("pages/fragment.html")
            .render(answer=self, cells=self.cells(rows[:FRAGMENT_ROWS]), n=len(rows))
        )

    @final
    def __repr__(self) -> str:
        text = f"{type(self).__name__}: {printable(self.verdict)}"
        return "\n".join(wrap(text, WIDTH, max_lines=LINES, placeholder=" …"))


def settings_of(estimator: Any) -> dict[str, str]:
    """Return an estimator's parameters as text, without those that are None or change no number.

    The random state is named "seed".
    """
    return {
        "seed" if name == "random_state" else name: one_line(value)
        for name, value in estimator.get_params(deep=False).items()
        if value is not None and name != "n_jobs"
    }


def versions() -> dict[str, str]:
    """Return the releases that made an answer, for the foot of its page."""
    packages = ("tabseed", "numpy", "scipy", "scikit-learn", "pyarrow")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


@cache
def environment() -> Environment:
    """Return the environment of the templates: it escapes everything and refuses unknown names."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parents[1]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "number": words.number,
        "visible": printable,
        "cell": lambda value: "–" if value is None else words.cell(value),
    }
    return templates
