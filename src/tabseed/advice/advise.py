"""Before anything is trained: is a model likely to gain from synthetic rows, or by what else?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tabseed._progress import Progress
from tabseed._random import RandomState, one_thread, seed_sequence
from tabseed.advice.bank import Bank
from tabseed.advice.look import PLAIN, Look, look
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.scores import form_of
from tabseed.estimates.words import few_rows, listed, number, span
from tabseed.pages import Finding, Heading, Row
from tabseed.parameters import FUNCTION, SEED, TEXT, checked, or_none
from tabseed.table import Frame, Table

LIKELY, UNLIKELY = 0.5, 0.2  # chances from which, and below which, a gain is called so
RARE = 0.3  # share of the rarest class below which its controls are worth saying


@dataclass(frozen=True, repr=False)
class Advice(Finding):
    """Whether a model of ``target`` is likely to gain from synthetic rows, and what else would.

    ``chances``: by recipe, that the AUC or R2 rises by ``worth`` or more, as on the tables of a
    bank that look alike (calibration: ``experiments/advise``); of those that are not ``foretold``
    the share of gains on the whole bank. ``look`` has the learning curve and,
    for classes, what weights and a moved threshold do without any synthetic row.
    """

    target: str
    look: Look
    chances: dict[str, float]
    worth: float
    tables: int
    cases: int
    beyond: tuple[str, ...]
    foretold: tuple[str, ...]
    settings: dict[str, str]
    title = "Will synthetic rows help?"

    @property
    def answer(self) -> str:
        """ "try", "no" or "unclear", by the largest chance of a recipe."""
        best = max(self.chances.values())
        return "try" if best >= LIKELY else "no" if best < UNLIKELY else "unclear"

    @property
    def verdict(self) -> str:
        """The advice in a few sentences."""
        recipe = max(self.chances, key=lambda name: self.chances[name])
        chance = f"{self.chances[recipe]:.0%}"
        unit = self.look.score.unit
        first = {
            "no": "Do not expect a model to gain from synthetic rows",
            "unclear": "Synthetic rows may help a model, more likely not",
            "try": "Synthetic rows may well help a model: try tabseed auto --goal augment",
        }[self.answer]
        worth = f"{number(self.worth, '.2g')} {unit} or more"
        said = f"{first} (chance of {worth}: {chance}, by {recipe})."
        return " ".join([*self._below(), said, self._curve(), *self._controls()])

    def _curve(self) -> str:
        gain, form = self.look.doubling, form_of(self.look.doubling.unit)
        if np.isnan(gain.value):
            return "These rows are too few, or too much alike, for a learning curve."
        interval = f"95 % interval {span(gain.low, gain.high, '+' + form)}"
        told = f"{number(gain.value, '+' + form)} {gain.unit}, {interval}"
        if gain.low > 0:
            return f"More real rows do: twice as many gained {told}."
        return f"Nor do more real rows reliably: twice as many gained {told}."

    def _controls(self) -> list[str]:
        """What weights and a moved threshold do for a rare class, without any synthetic row."""
        controls, rarest = self.look.controls, self.look.rarest
        if not controls or rarest >= RARE:
            return []
        better = {name: gain for name, gain in controls.items() if gain.low > 0}
        found = f"For the rarest class ({rarest:.0%}) no cheaper way is shown to help"
        if better:
            found = f"For the rarest class ({rarest:.0%}) there are cheaper ways"
        told = [f"{name} {_added(gain)}" for name, gain in (better or controls).items()]
        plain = number(self.look.balanced[PLAIN].value)
        return [f"{found}. To a balanced accuracy of {plain} add: {listed(told)}."]

    def _below(self) -> list[str]:
        """Say that models are surely no better than no model."""
        score = self.look.score
        least, what = (0.5, "guessing") if self.look.task == "classification" else (0.0, "the mean")
        if not score.high < least:
            return []
        return [
            f"Models are surely worse than {what} ({number(score.value)} {score.unit}, 95 % "
            f"interval {span(score.low, score.high)}): rows that depend on each other do that "
            "(groups, repeats, labels dealt in turn); look at the rows first."
        ]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the chances rest on, and what limits them."""
        rests = (
            f"The chances come from {self.cases} cases of {self.tables} tables and laws; an answer "
            "for your rows takes a trial: tabseed auto --goal augment."
        )
        if not self.foretold:
            rests += (
                " They are the same for every table: what a table shows did not foretell which of "
                "the others gained."
            )
        beyond = (
            (f"Beyond the tables of the bank in {listed(self.beyond)}: there they are a guess.",)
            if self.beyond and self.foretold
            else ()
        )
        return (rests, *beyond, *few_rows({"training": self.look.n_rows}))

    @property
    def headings(self) -> tuple[Heading, ...]:
        """What was seen, with its interval."""
        return (
            Heading.text("what", "what"),
            Heading.number("value", "value"),
            Heading.span("95 % interval", "low", "high"),
            Heading.text("unit", "unit"),
        )

    def rows(self) -> list[Row]:
        """Return scores, the gain of more rows, controls of classes, and chances."""
        lines = [
            _line("score of models on other rows", self.look.score),
            _line("gain of twice as many real rows", self.look.doubling),
            *(_line(f"right classes, {name}", found) for name, found in self.look.balanced.items()),
            *(_line(f"gained by {name}", found) for name, found in self.look.controls.items()),
        ]
        told = "chance of a gain" if self.foretold else "gained, of all cases of the bank"
        chances = [
            {"what": f"{told}: {name}", "value": chance, "low": None, "high": None}
            for name, chance in self.chances.items()
        ]
        unit = "probability" if self.foretold else "share"
        return [*lines, *({**line, "unit": unit} for line in chances)]

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        seen = self.look
        return {
            "verdict": self.verdict,
            "answer": self.answer,
            "target": self.target,
            "chances": dict(self.chances),
            "worth": self.worth,
            "score": _plain(seen.score),
            "gain_of_twice_the_rows": _plain(seen.doubling),
            "balanced_accuracy": {name: _plain(e) for name, e in seen.balanced.items()},
            "controls": {name: _plain(e) for name, e in seen.controls.items()},
            "rarest_class": seen.rarest,
            "notes": list(self.notes),
        }

    def _page(self) -> dict[str, Any]:
        return {"table_title": "Scores and chances"}

    def _settings(self) -> dict[str, str]:
        return self.settings


def _plain(found: Estimate) -> dict[str, Any]:
    """Return an estimate, JSON-ready; None for what does not exist."""
    return {key: None if value != value else value for key, value in found.to_dict().items()}


def _added(gain: Estimate) -> str:
    """Write what a control adds."""
    return f"{number(gain.value, '+.3f')} ({span(gain.low, gain.high, '+.3f')})"


def _line(what: str, found: Estimate) -> Row:
    entry = _plain(found)
    return {"what": what, **{key: entry[key] for key in ("value", "low", "high", "unit")}}


@checked(target=TEXT, random_state=SEED, progress=or_none(FUNCTION))
def advise(
    train: Frame,
    target: str,
    *,
    random_state: RandomState = 0,
    progress: Progress | None = None,
) -> Advice:
    """Say, from real rows alone, whether a model of ``target`` is likely to gain from others.

    Twelve splits (four of many or wide rows) show what models score on other rows, what twice as
    many real rows would add (a synthetic row seldom tells more than a real one), and for classes
    what weights and a moved threshold do. The chance of a gain comes from a bank of tables on which
    synthetic rows were tried (``experiments/advise``). SchemaError for a target that is no problem
    of prediction, TooFewRowsError for fewer than 20 rows. Cost: 84 fits of small models, or 28;
    some 10 s for 300 rows of ten columns, a minute or two for 1,000 of fifty.
    """
    table = Table.from_frame(train)
    name = table.schema[target].name
    with one_thread():
        seen = look(table, name, seed_sequence(random_state), progress)
    bank = Bank.stored()
    return Advice(
        name,
        seen,
        bank.chances(seen),
        bank.worth,
        bank.tables,
        bank.cases,
        tuple(bank.beyond(seen)),
        bank.foretold,
        {"rows": str(len(table)), "target": name},
    )
