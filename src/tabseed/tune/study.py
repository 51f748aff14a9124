"""The study that a tuner returns: its trials, estimates of their worth, and the best one."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from markupsafe import Markup

from tabseed._random import one_thread
from tabseed.errors import FileError, TabseedError, printable
from tabseed.estimates.estimate import finite
from tabseed.estimates.words import number
from tabseed.pages import Finding, Heading, Row
from tabseed.space import Choice, Int, Space
from tabseed.tune import drawing
from tabseed.tune.proposal import History
from tabseed.tune.storage import DONE, FAILED, RUNNING, Storage
from tabseed.tune.storage import Row as StoredTrial
from tabseed.tune.surrogate import Surrogate
from tabseed.tune.trial import Trial

SIGNED = "+.4f"  # form of a value


def _remark(state: str, message: str) -> str:
    """Return the message or the state of a trial that is not done."""
    return "" if state == DONE else message or state


HEADINGS = (
    Heading("trial", ("trial",)),
    Heading.text("generator", "generator"),
    Heading.text("settings", "settings"),
    Heading.number("value", "value", SIGNED),
    Heading.number("standard error", "standard_error", ".4f"),
    Heading.number("estimate", "estimate", SIGNED),
    Heading("", ("state", "message"), _remark, numeric=False),
)
FEW = 4  # trials with a value that a family needs before a Gaussian process estimates their worth


@dataclass(frozen=True, repr=False)
class Study(Finding):
    """The trials of a search: ``spaces`` by family, and ``trials`` in the order they began."""

    title = "Which generator, with which settings?"
    _template = "tune/page.html"

    spaces: dict[str, Space]
    trials: tuple[Trial, ...]

    @classmethod
    def read(cls, storage: str | os.PathLike[str], name: str = "study") -> Study:
        """Read the study in a file or at a URL as it is now; FileError if it is not sound."""
        store = Storage(storage, name)
        try:
            definitions = json.loads(store.definition())["spaces"]
            spaces = {family: Space.from_dict(plain) for family, plain in definitions.items()}
            rows = store.trials()
            for row in rows:
                spaces[row.family].point(row.settings)
        except FileError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, TabseedError) as error:
            reason = printable(error)
            raise FileError(f"{store}: study {name!r} is not sound: {reason}") from error
        return cls(spaces, tuple(_trial(row) for row in rows))

    @cached_property
    def estimates(self) -> np.ndarray:
        """The estimated value of each trial without its noise, (trials,); NaN without draws.

        It is the posterior mean of the family's Gaussian process at the trial, so neighbours
        inform each other. In a family with fewer than FEW such trials it is the mean of the draws.
        """
        estimates = np.array([t.value for t in self.trials])
        for family, space in self.spaces.items():
            own = [k for k, t in enumerate(self.trials) if t.family == family]
            done = [k for k in own if self.trials[k].draws]
            if len(done) < FEW:
                continue
            history = _history([self.trials[k] for k in done])
            seen = history.finished(space)
            assert seen is not None  # every trial in done has draws
            with one_thread():
                estimates[done] = Surrogate(space, seen).posterior(seen.points)[0]
        return estimates

    @property
    def best(self) -> Trial:
        """The trial with the largest estimate; TabseedError if no trial has a value.

        Its own draws flatter it, because they decided the choice: to learn how good it is, take
        fresh draws, on rows that no trial saw.
        """
        if not any(t.draws for t in self.trials):
            failed = [t.message for t in self.trials if t.state == FAILED]
            last = f"; the last error was: {failed[-1]}" if failed else ""
            raise TabseedError(f"none of {len(self.trials)} trials gave a value{last}")
        return self.trials[int(np.nanargmax(self.estimates))]

    @property
    def verdict(self) -> str:
        """Which trial is chosen, in a sentence."""
        n = len(self.trials)
        if not any(t.draws for t in self.trials):
            return f"Nothing to choose: none of {n} trials gave a value."
        best = self.best
        return (
            f"Chosen: trial {best.number + 1} of {n}, {best.family}, value "
            f"{number(best.value, SIGNED)}; this flatters it, as the best of many noisy values."
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """How many trials failed, with the last error, and how many are not finished."""
        failed = [t for t in self.trials if t.state == FAILED]
        running = sum(t.state == RUNNING for t in self.trials)
        notes = []
        if failed:
            count = f"{len(failed)} of {len(self.trials)}"
            notes.append(f"Failed trials: {count}; the last error was: {failed[-1].message}.")
        if running:
            notes.append(f"Unfinished trials: {running} of {len(self.trials)}.")
        return tuple(notes)

    @property
    def headings(self) -> tuple[Heading, ...]:
        """Each trial, its generator and settings, its value, and the estimate of that."""
        return HEADINGS

    def rows(self) -> list[Row]:
        """Return the trials in the order they began; a trial without draws has no value."""
        return [
            finite(
                {
                    "trial": t.number + 1,
                    "generator": t.family,
                    "settings": ", ".join(f"{name} {value}" for name, value in t.settings.items()),
                    "value": t.value,
                    "standard_error": t.standard_error,
                    "estimate": estimate if t.draws else None,
                    "draws": len(t.draws),
                    "state": t.state,
                    "message": t.message,
                }
            )
            for t, estimate in zip(self.trials, self.estimates.tolist(), strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return every trial with its settings and draws, in JSON-ready form."""
        chosen = self.best if any(t.draws for t in self.trials) else None
        return {
            "verdict": self.verdict,
            "notes": list(self.notes),
            "trials": [
                {**row, "settings": t.settings, "draws": list(t.draws)}
                for row, t in zip(self.rows(), self.trials, strict=True)
            ],
            "chosen": None
            if chosen is None
            else {
                "trial": chosen.number + 1,
                "generator": chosen.family,
                "settings": chosen.settings,
            },
        }

    def _page(self) -> dict[str, Any]:
        return {
            "n": len(self.trials),
            "draws": max((len(trial.draws) for trial in self.trials), default=0),
            "picture": Markup(drawing.parallel_coordinates(self)),  # it escapes every name itself
            "aim": "",
            "unit": "the objective's",
            "python": "",
            "test": None,
        }

    def to_arrow(self) -> Any:
        """Return a pyarrow Table: a row for each trial, and settings as ``family.setting``."""
        import pyarrow as pa

        names = ("number", "family", "state", "value", "standard_error", "seconds", "message")
        columns = {name: pa.array([getattr(t, name) for t in self.trials]) for name in names}
        columns["seconds"] = columns["seconds"].cast(pa.float64())
        columns["draws"] = pa.array([list(t.draws) for t in self.trials], pa.list_(pa.float64()))
        columns["estimate"] = pa.array(self.estimates)
        for family, space in self.spaces.items():
            for name, dimension in space.dimensions.items():
                kind = pa.int64() if isinstance(dimension, Int) else pa.float64()
                cells = [t.settings[name] if t.family == family else None for t in self.trials]
                if isinstance(dimension, Choice):
                    kind = pa.string()
                    own = [t.family == family for t in self.trials]
                    cells = [str(c) if o else None for c, o in zip(cells, own, strict=True)]
                columns[f"{family}.{name}"] = pa.array(cells, kind)
        return pa.table(columns)


def _trial(row: StoredTrial) -> Trial:
    return Trial(
        row.number, row.family, row.settings, row.state, row.draws, row.message, row.seconds
    )


def _history(trials: Sequence[Trial]) -> History:
    draws = [None if t.state == RUNNING else t.draws for t in trials]
    return History([t.settings for t in trials], draws)
