"""A tuner of families and their settings, and the study that it leaves behind."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tabseed._random import one_thread
from tabseed.errors import FileError, TabseedError, printable
from tabseed.space import Choice, Int, Space
from tabseed.tune.proposal import History
from tabseed.tune.storage import FAILED, RUNNING, Row, Storage
from tabseed.tune.surrogate import Surrogate

FEW = 4  # trials of a family with a value, below which their means are taken as they are


@dataclass(frozen=True)
class Trial:
    """Settings of one family and what the objective gave, larger is better.

    ``state`` is "done", "failed" (``message`` says why; no draws) or "running".
    """

    number: int
    family: str
    settings: dict[str, Any]
    state: str
    draws: tuple[float, ...]
    message: str
    seconds: float | None

    @property
    def value(self) -> float:
        """The mean of the draws; NaN without any."""
        return float(np.mean(self.draws)) if self.draws else float("nan")

    @property
    def standard_error(self) -> float:
        """How far that mean may be off for want of draws; NaN for fewer than two."""
        k = len(self.draws)
        return float(np.std(self.draws, ddof=1) / np.sqrt(k)) if k > 1 else float("nan")


@dataclass(frozen=True)
class Study:
    """What was tried: ``spaces`` by family, ``trials`` in the order in which they began."""

    spaces: dict[str, Space]
    trials: tuple[Trial, ...]

    @classmethod
    def read(cls, storage: str | os.PathLike[str], name: str = "study") -> Study:
        """Read the study of a file or URL, as it is now; FileError if there is no sound one."""
        kept = Storage(storage, name)
        try:
            spaces = json.loads(kept.definition())["spaces"]
            found = {family: Space.from_dict(plain) for family, plain in spaces.items()}
            rows = kept.trials()
            for row in rows:
                found[row.family].point(row.settings)
        except FileError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, TabseedError) as error:
            reason = printable(error)
            raise FileError(f"{kept}: study {name!r} is not sound: {reason}") from error
        return cls(found, tuple(_trial(row) for row in rows))

    @cached_property
    def estimates(self) -> np.ndarray:
        """What each trial is thought to be worth without its noise, (trials,); NaN without draws.

        The posterior mean of the family's Gaussian process at the trial: neighbours share what
        their draws say. The mean of the draws for a family with fewer than FEW such trials.
        """
        worth = np.array([t.value for t in self.trials])
        for family, space in self.spaces.items():
            own = [k for k, t in enumerate(self.trials) if t.family == family]
            done = [k for k in own if self.trials[k].draws]
            if len(done) < FEW:
                continue
            history = _history([self.trials[k] for k in done])
            seen = history.finished(space)
            assert seen is not None  # every one has draws
            with one_thread():
                worth[done] = Surrogate(space, seen).posterior(seen.points)[0]
        return worth

    @property
    def best(self) -> Trial:
        """The trial of the largest estimate; TabseedError if none has a value.

        Its own draws flatter it, since it was chosen by them: take fresh ones, on rows that no
        trial saw, to say how good it is.
        """
        if not any(t.draws for t in self.trials):
            failed = [t.message for t in self.trials if t.state == FAILED]
            said = f"; the last said: {failed[-1]}" if failed else ""
            raise TabseedError(f"none of {len(self.trials)} trials gave a value{said}")
        return self.trials[int(np.nanargmax(self.estimates))]

    def to_arrow(self) -> Any:
        """Give a pyarrow Table: a row a trial, a column ``family.setting`` for each setting."""
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


def _trial(row: Row) -> Trial:
    return Trial(
        row.number, row.family, row.settings, row.state, row.draws, row.message, row.seconds
    )


def _history(trials: Sequence[Trial]) -> History:
    draws = [None if t.state == RUNNING else t.draws for t in trials]
    return History([t.settings for t in trials], draws)
