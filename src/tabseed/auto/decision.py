"""What was decided, and why: the record of a race and of the judgement of its winner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from tabseed.auto.auto import Auto
from tabseed.auto.candidates import Goal
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.scores import form_of
from tabseed.estimates.words import few_rows, listed, number, span
from tabseed.evaluation.evaluation import Evaluation
from tabseed.pages import Finding, Heading, Row

Answer = Literal["use", "do not use", "cannot be told"]
USE: Answer = "use"
DO_NOT: Answer = "do not use"
UNTOLD: Answer = "cannot be told"
BEHIND = "+.3f"  # format of how far a candidate is behind


@dataclass(frozen=True, repr=False)
class Decision(Finding):
    """Whether to use synthetic rows, from which candidates, and how the others fared.

    ``race`` has a line for each candidate (:attr:`~tabseed.auto.auto.Auto.race_`), ``weights`` the
    share of rows that each draws, ``over`` why the race ended early; ``judged`` is the evaluation
    of the drawn rows by held-out rows that took no part in the race.
    """

    title = "Which synthetic rows, and whether to use them"

    goal: Goal
    target: str | None
    race: tuple[dict[str, Any], ...]
    weights: dict[str, float]
    over: str
    judged: Evaluation
    settings: dict[str, str] = field(compare=False)

    @classmethod
    def of(cls, model: Auto, judged: Evaluation, settings: dict[str, str]) -> Decision:
        """Return the decision of a fitted Auto whose rows were judged."""
        names = [line["candidate"] for line in model.race_]
        weights = dict(zip(names, model.weights_.tolist(), strict=True))
        race = tuple(model.race_)
        return cls(model.goal, model.target_, race, weights, model.over_, judged, settings)

    @property
    def gain(self) -> Estimate | None:
        """What models gain that learn the synthetic rows beside the real ones; None: not asked."""
        report = self.judged.usefulness
        if report is None:
            return None
        cost = report.cost_augmented
        return Estimate(-cost.value, -cost.high, -cost.low, cost.unit, "higher")

    @property
    def answers(self) -> dict[str, Answer]:
        """Whether to use the rows, for each thing asked: "share", "augment"."""
        asked = ("share", "augment") if self.goal == "both" else (self.goal,)
        each = {"share": self._share, "augment": self._augment}
        return {goal: each[goal] for goal in asked}

    @property
    def answer(self) -> Answer:
        """Whether to use the rows; for both goals, whether to share them."""
        return next(iter(self.answers.values()))

    @property
    def _share(self) -> Answer:
        """Not if a limit is broken; not told if the rows cannot show that it is kept.

        Nor if no limit was set and a leak is shown: how much may leak is not for us to say.
        """
        privacy = self.judged.privacy
        if privacy is None:
            return UNTOLD
        if not privacy.limits:
            return UNTOLD if privacy.leaks else USE
        answers: dict[bool | None, Answer] = {False: DO_NOT, None: UNTOLD, True: USE}
        return answers[self.judged.passed]

    @property
    def _augment(self) -> Answer:
        """Only if the gain on the held-out rows is surely above 0."""
        gain = self.gain
        if gain is None:
            return UNTOLD
        return USE if gain.low > 0 else DO_NOT

    @property
    def drawing(self) -> str:
        """Which candidates draw rows, in words."""
        shares = sorted(self.weights.items(), key=lambda pair: -pair[1])
        drawn = [(name, share) for name, share in shares if share]
        if len(drawn) == 1:
            return drawn[0][0]
        return listed([f"{name} ({share:.0%})" for name, share in drawn])

    @property
    def verdict(self) -> str:
        """The decision in a few sentences."""
        told = []
        if "share" in self.answers:
            told.append(self._shared())
        if "augment" in self.answers:
            told.append(self._augmented())
        told.append(f"Of {len(self.race)} candidates the best rows come from {self.drawing}.")
        if "share" in self.answers:
            heads = self.judged.headlines
            told += [f"{question} {words}." for question, words in heads.items()]
        return " ".join(told)

    def _shared(self) -> str:
        limits = self.judged.privacy is not None and self.judged.privacy.limits
        return {
            USE: "Privacy does not keep you from sharing these rows.",
            DO_NOT: "Do not share these rows: a limit of privacy is broken.",
            UNTOLD: "Whether these rows may be shared, the held-out rows cannot tell."
            if limits
            else "Whether these rows may be shared is yours to say: no limit was set, and training "
            "rows leak."
            if self.judged.privacy is not None
            else "Whether these rows may be shared was not asked.",
        }[self.answers["share"]]

    def _augmented(self) -> str:
        gain = self.gain
        if gain is None:
            why = self.judged.missing.get("usefulness", "no target was named")
            return f"Whether to augment is not answered: {why}."
        form = form_of(gain.unit)
        told = f"{number(gain.value, '+' + form)} {gain.unit}, 95 % interval "
        told += span(gain.low, gain.high, "+" + form)
        if gain.low > 0:
            return f"Augment: models gain {told}, on rows that took no part."
        if gain.high < 0:
            return f"Do not augment: models get worse ({told}) on rows that took no part."
        return f"Do not augment: no gain is shown ({told}) on rows that took no part."

    @property
    def notes(self) -> tuple[str, ...]:
        """Why the race ended early, what its figures mean, and few rows."""
        early = (f"The race ended early: {self.over}.",) if self.over else ()
        compared = (
            "Candidates are compared by what models gain that learn their rows beside the real ones"
            if self.goal == "augment"
            else "Candidates are compared by held-out rows, as a forest sees their laws"
        )
        if self.goal == "both":
            compared += ", and one of surely less use leaves"
        flatters = f"{compared}; that flatters the best of them, so other rows judged it once."
        limited = few_rows({"training": self.judged.n_train})
        return (*early, flatters, *limited)

    @property
    def headings(self) -> tuple[Heading, ...]:
        """Each candidate, the rows that it draws, how far it is behind, and why it left."""
        unit = "nats a row"
        if self.goal == "augment":
            unit = "score" if self.gain is None else self.gain.unit
        attacked = any(line["auc"] is not None for line in self.race)  # only where a limit is set
        auc = (Heading.number("strongest attack, AUC", "auc", ".2f"),) if attacked else ()
        return (
            Heading.text("candidate", "candidate"),
            Heading("share of rows", ("weight",), lambda share: f"{share:.0%}" if share else ""),
            Heading.number("rounds", "rounds", "d"),
            Heading(f"behind the best, {unit}", ("behind", "error"), _behind),
            *auc,
            Heading.text("left because", "out"),
        )

    def rows(self) -> list[Row]:
        """Return a line for each candidate, those that draw rows first."""
        lines = [{**line, "weight": self.weights[line["candidate"]]} for line in self.race]
        last = max((line["behind"] or 0.0 for line in lines), default=0.0) + 1
        return sorted(
            lines,
            key=lambda line: (
                -line["weight"],
                -line["rounds"],
                last if line["behind"] is None else line["behind"],
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready; the judgement in full is a document of its own."""
        gain = self.gain
        return {
            "verdict": self.verdict,
            "answer": self.answer,
            "answers": self.answers,
            "goal": self.goal,
            "target": self.target,
            "weights": self.weights,
            "race": [dict(line) for line in self.race],
            "over": self.over,
            "gain": None if gain is None else gain.to_dict(),
            "headlines": self.judged.headlines,
            "notes": list(self.notes),
        }

    def _page(self) -> dict[str, Any]:
        return {"table_title": "All candidates"}

    def _settings(self) -> dict[str, str]:
        return self.settings


def _behind(gap: float, error: float) -> str:
    return f"{number(gap, BEHIND)} ± {error:.3f}" if gap or error else "best"
