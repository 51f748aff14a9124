"""The stages of a long fit: one progress bar, and finished stages are not computed again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tabseed._progress import Progress, part
from tabseed.archive import Arrays, Checkpoint, under
from tabseed.generators.base import Aids

UNITS = 1_000  # of progress in each stage


class Journal:
    """Results of stages by name.

    With a checkpoint the results of finished stages and the state of the current one are in its
    file, so an interrupted fit, even a killed one, continues in the stage where it stopped.
    """

    def __init__(self, aids: Aids, stages: int) -> None:
        self.progress, self.checkpoint, self.stages = aids.progress, aids.checkpoint, stages
        self.finished: dict[str, Arrays] = {}
        self.current: tuple[str, dict[str, Any], Arrays] | None = None
        self.around: set[str] = set()  # stages made of other stages; only the others count
        content = self.checkpoint.read() if self.checkpoint is not None else None
        if content is not None:
            state, arrays = content
            self.finished = {n: under(f"{i}.", arrays) for i, n in enumerate(state["finished"])}
            if state["stage"]:
                self.current = state["stage"], state["state"], under("now.", arrays)

    def once(self, name: str, compute: Callable[[Aids], Arrays], *, around: bool = False) -> Arrays:
        """Return the result of a stage, computed now or before.

        A stage ``around`` others does not count in the progress.
        """
        if around:
            self.around.add(name)
        if name not in self.finished:
            checkpoint = _Part(self, name) if self.checkpoint is not None else None
            try:
                result = compute(Aids(self._progress_of(name), checkpoint))
            except BaseException:  # an interrupt too
                if self.current is None:  # else the file has the state of this stage or one inside
                    self.write(None)
                raise
            self.finished[name] = result
            self.write(None)
        return self.finished[name]

    def write(self, current: tuple[str, dict[str, Any], Arrays] | None) -> None:
        """Write the finished stages and the state of the current one to the file."""
        self.current = current
        if self.checkpoint is None:
            return
        arrays = {
            f"{i}.{key}": value
            for i, result in enumerate(self.finished.values())
            for key, value in result.items()
        }
        name, state, own = current or ("", {}, {})
        arrays |= {f"now.{key}": value for key, value in own.items()}
        document = {"finished": list(self.finished), "stage": name, "state": state}
        self.checkpoint.write(document, arrays)

    def end(self) -> None:
        """Report that the fit is done, and remove the file."""
        if self.progress is not None:
            self.progress(self.stages * UNITS, self.stages * UNITS, "done")
        if self.checkpoint is not None:
            self.checkpoint.remove()

    def _progress_of(self, name: str) -> Progress:
        before = min(len(self.finished.keys() - self.around), self.stages - 1) * UNITS
        return part(self.progress, before, before + UNITS, self.stages * UNITS, name)


class _Part(Checkpoint):
    """The checkpoint of one stage, inside the checkpoint of the whole fit."""

    def __init__(self, journal: Journal, name: str) -> None:
        self.journal, self.name = journal, name
        whole = journal.checkpoint
        assert whole is not None
        self.seconds = whole.seconds
        self._written = time.monotonic()

    def write(self, state: dict[str, Any], arrays: Arrays) -> None:
        """Write the state of the stage."""
        self.journal.write((self.name, state, arrays))
        self._written = time.monotonic()

    def read(self) -> tuple[dict[str, Any], Arrays] | None:
        """Return what this stage wrote last, or None if the file has the state of another one."""
        current = self.journal.current
        return current[1:] if current is not None and current[0] == self.name else None

    def remove(self) -> None:
        """Do nothing: the file is removed when the whole fit is done."""
