"""The report of a tuning: the choice, its test on rows that no trial saw, and every trial."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tabseed.pages import Finding, Heading, Row
from tabseed.tune.study import Study
from tabseed.tune.verdict import Verdict


@dataclass(frozen=True, repr=False)
class TuningReport(Finding):
    """A study with its aim, and the verdict of the rows set aside.

    ``aim`` is a sentence; ``unit`` is the unit of the trials' values; ``python`` makes what was
    chosen; ``test`` compares it with others, None if no rows were set aside. The report has the
    rows of the study.
    """

    title = Study.title
    _template = Study._template

    study: Study
    aim: str
    unit: str
    python: str
    test: Verdict | None
    settings: dict[str, str] = field(compare=False)
    target_read_as: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """How good the choice is on rows that no trial saw, and which trial is chosen."""
        if self.test is None:
            return self.study.verdict
        return f"{self.test.verdict} {self.study.verdict}"

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of the study and of the test, and how the target was read."""
        none = "No rows were set aside: nothing says how good the choice is."
        test = (none,) if self.test is None else self.test.notes
        return (*self.study.notes, *test, *self.target_read_as)

    @property
    def headings(self) -> tuple[Heading, ...]:
        """The headings of the study."""
        return self.study.headings

    def rows(self) -> list[Row]:
        """Return the trials, as :meth:`Study.rows` does."""
        return self.study.rows()

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON-ready form."""
        study = self.study.to_dict()
        return {
            "verdict": self.verdict,
            "notes": list(self.notes),
            "aim": self.aim,
            "unit": self.unit,
            "trials": study["trials"],
            "chosen": study["chosen"] and {**study["chosen"], "python": self.python},
            "test": None if self.test is None else self.test.to_dict(),
            "settings": dict(self.settings),
        }

    def _page(self) -> dict[str, Any]:
        own = {"aim": self.aim, "unit": self.unit, "python": self.python, "test": self.test}
        return {**self.study._page(), **own}

    def _settings(self) -> dict[str, str]:
        return self.settings
