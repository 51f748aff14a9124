"""What a finished study recommends: a generator with its settings, as an object and as Python."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sklearn.base import clone

from tabseed.estimates.words import number
from tabseed.generators.base import Generator
from tabseed.tune.aims import Aim
from tabseed.tune.study import SIGNED, Study
from tabseed.tune.verdict import CHOSEN


@dataclass(frozen=True)
class Outcome:
    """A finished study, the generators that it tuned, by family, and its aim.

    The first family is the default: the choice is compared with its own settings.
    """

    study: Study
    generators: Mapping[str, Generator]
    aim: Aim

    @property
    def default(self) -> str:
        """The family whose own settings the choice is compared with."""
        return next(iter(self.generators))

    @cached_property
    def chosen(self) -> Generator:
        """The generator of the best trial; TabseedError if no trial has a value."""
        best = self.study.best
        generator: Generator = clone(self.generators[best.family])
        generator.set_params(**best.settings)
        return generator

    @property
    def python(self) -> str:
        """Python that makes what was chosen."""
        return as_python(self.aim.estimator(self.chosen))

    def families(self) -> list[tuple[str, str, str, str]]:
        """Return each family, its number of trials, its best value and the settings of that."""
        return [self._family(family) for family in self.generators]

    def _family(self, family: str) -> tuple[str, str, str, str]:
        rows = [row for row in self.study.rows() if row["generator"] == family]
        done = [row for row in rows if row["value"] is not None]
        if not done:
            return family, str(len(rows)), "", rows[-1]["message"] if rows else ""
        best = max(done, key=lambda row: row["estimate"])
        return family, str(len(rows)), number(best["value"], SIGNED), best["settings"] or "none"

    def contenders(self) -> dict[str, Generator]:
        """Return the chosen generator and, unless that is the choice, the default one."""
        contenders = {CHOSEN: self.chosen}
        default = clone(self.generators[self.default])
        if as_python(default) != as_python(self.chosen):
            contenders[f"{self.default}, its own settings"] = default
        return contenders


def as_python(estimator: Any) -> str:
    """Return Python that makes an estimator of this package: what differs from its defaults.

    The seed of the estimator itself always stands there. Seeds of estimators inside it never do:
    the outer one sets them.
    """
    return _call(estimator, seeded=True)


def _call(value: Any, *, seeded: bool) -> str:
    if not hasattr(value, "get_params"):
        return repr(value)
    arguments = [
        f"{name}={_call(getattr(value, name), seeded=False)}"
        for name, parameter in inspect.signature(type(value)).parameters.items()
        if (seeded if name == "random_state" else getattr(value, name) != parameter.default)
    ]
    return f"ts.{type(value).__name__}({', '.join(arguments)})"
