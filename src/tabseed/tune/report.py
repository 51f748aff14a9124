"""All that a tuning says: the choice, what rows that no trial saw say of it, and every trial."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tabseed.pages import Finding, Heading, Row
from tabseed.tune.study import Study
from tabseed.tune.verdict import Verdict


@dataclass(frozen=True, repr=False)
class TuningReport(Finding):
    """A study with what was aimed at, and the verdict of the rows set aside.

    ``aim`` is a sentence; ``unit`` is that of the trials' values; ``python`` makes what was
    chosen; ``test`` compares it with others, None where no rows were set aside. Its rows are
    those of the study.
    """

    title = Study.title
    _template = Study._template

    study: Study
    aim: str
    unit: str
    python: str
    test: Verdict | None
    settings: dict[str, str] = field(compare=False)

    @property
    def verdict(self) -> str:
        """Which trial is chosen, and how good it is on rows that no trial saw."""
        if self.test is None:
            return self.study.verdict
        return f"{self.study.verdict} {self.test.verdict}"

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the study and of the test."""
        if self.test is None:
            none = "No rows were set aside: nothing says how good the choice is."
            return (*self.study.notes, none)
        return (*self.study.notes, *self.test.notes)

    @property
    def headings(self) -> tuple[Heading, ...]:
        """Those of the study."""
        return self.study.headings

    def rows(self) -> list[Row]:
        """Give the trials, as :meth:`Study.rows` does."""
        return self.study.rows()

    def to_dict(self) -> dict[str, Any]:
        """Give everything, JSON-ready."""
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
