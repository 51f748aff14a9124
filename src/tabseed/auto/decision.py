"""What was decided, and why: the record of a race and of the judgement of its winner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tabseed.auto.auto import Auto
from tabseed.auto.candidates import Goal
from tabseed.auto.race import ASKED_IN, FAILED
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.scores import form_of
from tabseed.estimates.words import few_rows, listed, number, span
from tabseed.evaluation.evaluation import Evaluation
from tabseed.pages import Finding, Heading, Row
from tabseed.parameters import InstanceOf, check
from tabseed.privacy.limits import MEMBERSHIP, Limit, all_passed, of_membership
from tabseed.privacy.report import MAX_AUC
from tabseed.table.display import counted

Answer = Literal["use", "do not use", "cannot be told", "leaks, no limit set"]
USE: Answer = "use"
DO_NOT: Answer = "do not use"
UNTOLD: Answer = "cannot be told"
LEAKS: Answer = "leaks, no limit set"
BEHIND = "+.3f"  # format of how far a candidate is behind


@dataclass(frozen=True, repr=False)
class Decision(Finding):
    """Whether to use synthetic rows, from which candidates, and how the others fared.

    ``race`` has a line for each candidate (:attr:`~tabseed.auto.auto.Auto.race_`), ``weights`` the
    share of rows that each draws, ``over`` why the race ended early; ``judged`` is the evaluation
    of the drawn rows by held-out rows that took no part in the race, None if no candidate was left
    to draw rows. ``limits``: those of privacy, of the race and of the judgement, and what the
    judgement says of each.
    """

    title = "Which synthetic rows, and whether to use them"

    goal: Goal
    target: str | None
    race: tuple[dict[str, Any], ...]
    weights: dict[str, float]
    over: str
    judged: Evaluation | None
    limits: tuple[Limit, ...]
    n_train: int
    settings: dict[str, str] = field(compare=False)

    @classmethod
    def of(
        cls, model: Auto, judged: Evaluation | None, settings: Mapping[str, str] | None = None
    ) -> Decision:
        """Return the decision of an Auto whose rows were judged; None where a limit left none.

        A limit of the race is one of the judgement too. ``settings`` are listed on the page.
        TabseedError for a model that is no Auto.
        """
        check("Decision.of", "model", model, InstanceOf(Auto, "a fitted Auto"))
        names = [line["candidate"] for line in model.race_]
        weights = dict(zip(names, model.weights_.tolist(), strict=True))
        privacy = None if judged is None else judged.privacy
        limits = [] if privacy is None else list(privacy.limits)
        limit = model.max_auc
        if limit is not None and not any((x.name, x.limit) == (MEMBERSHIP, limit) for x in limits):
            attacked = None if privacy is None else privacy.membership
            limits.insert(0, of_membership(attacked, limit))
        race = tuple(model.race_)
        return cls(
            model.goal,
            model.target_,
            race,
            weights,
            model.over_,
            judged,
            tuple(limits),
            model.n_rows_,
            dict(settings or {}),
        )

    @property
    def gain(self) -> Estimate | None:
        """What models gain that learn the synthetic rows beside the real ones; None: not asked."""
        report = None if self.judged is None else self.judged.usefulness
        if report is None:
            return None
        cost = report.cost_augmented
        return Estimate(-cost.value, -cost.high, -cost.low, cost.unit, "higher")

    @property
    def answers(self) -> dict[str, Answer]:
        """Whether to use the rows, for each thing asked: "share", "augment"."""
        asked = ("share", "augment") if self.goal == "both" else (self.goal,)
        each = {"share": self._share, "augment": self._augment}
        return {goal: self._refused if self.judged is None else each[goal] for goal in asked}

    @property
    def answer(self) -> Answer:
        """Whether to use the rows; for both goals, whether to share them."""
        return next(iter(self.answers.values()))

    @property
    def kept(self) -> bool | None:
        """False if a limit is broken, or no candidate kept it; None if that cannot be told.

        True if all limits are kept; None too if none was set.
        """
        if self.judged is None:
            return False
        return all_passed(self.limits)

    @property
    def _refused(self) -> Answer:
        """Nobody is left to draw rows: all surely leak, or that cannot be told of some."""
        return DO_NOT if all(line["leaks"] for line in self._able) else UNTOLD

    @property
    def _able(self) -> list[dict[str, Any]]:
        """The lines of candidates that could learn, or were not asked to."""
        return [line for line in self.race if not line["out"].startswith(FAILED)]

    @property
    def _share(self) -> Answer:
        """Not if a limit is broken; not told if the rows cannot show that it is kept.

        Without a limit: not told unless rows show no leak that would have shown one as large as
        the limit that an evaluation has by default. How much may leak is not for us to say.
        """
        answers: dict[bool | None, Answer] = {False: DO_NOT, None: UNTOLD, True: USE}
        if self.limits:
            return answers[self.kept]
        privacy = None if self.judged is None else self.judged.privacy
        if privacy is None or privacy.leaks is None:
            return UNTOLD
        if privacy.leaks:
            return LEAKS
        shown_from = None if privacy.membership is None else privacy.membership.detectable
        return USE if shown_from is not None and shown_from <= MAX_AUC else UNTOLD

    @property
    def _augment(self) -> Answer:
        """Only if the gain on the held-out rows is surely above 0, and every limit is kept."""
        gain = self.gain
        if self.limits and self.kept is False:
            return DO_NOT
        if gain is None:
            return UNTOLD
        if gain.low <= 0:
            return DO_NOT
        return USE if self.kept or not self.limits else UNTOLD

    @property
    def drawing(self) -> str:
        """Which candidates draw rows, in words; "" if none does."""
        shares = sorted(self.weights.items(), key=lambda pair: -pair[1])
        drawn = [(name, share) for name, share in shares if share]
        if len(drawn) < 2:
            return drawn[0][0] if drawn else ""
        return listed([f"{name} ({share:.0%})" for name, share in drawn])

    @property
    def verdict(self) -> str:
        """The decision in a few sentences."""
        if self.judged is None:
            return self._none_left()
        told = []
        if "share" in self.answers:
            told.append(f"To share: {self._shared()}")
        if "augment" in self.answers:
            told.append(f"To augment: {self._augmented()}")
        told.append(f"Of {counted(len(self.race), 'candidate')} {self.drawing} drew the rows.")
        if "share" in self.answers:
            heads = self.judged.headlines
            told += [f"{question} {words}." for question, words in heads.items()]
        return " ".join(told)

    def _none_left(self) -> str:
        """Why no candidate may draw rows."""
        many = counted(len(self.race), "candidate")
        leak = sum(line["leaks"] for line in self._able)
        if self._refused == DO_NOT:
            return (
                f"Do not use synthetic rows for this; none were written. Of {many} "
                f"{'each' if leak == len(self.race) else f'each of the {leak} that could learn'} "
                f"leaks, beyond chance and beyond the limit: {self._limit}."
            )
        asked = sum(line["attacked"] >= ASKED_IN for line in self._able)
        return (
            "Whether to use synthetic rows cannot be told; none were written. Of "
            f"{many} attacks were asked about {asked} on {ASKED_IN} folds or more; {leak} of these "
            f"leak beyond chance, and none is known to keep the limit: {self._limit}. Give more "
            "time, or more rows."
        )

    @property
    def _limit(self) -> str:
        return f"an AUC of at most {self.limits[0].limit:g} was asked for"

    def _shared(self) -> str:
        judged = self.judged
        privacy = None if judged is None else judged.privacy
        answer = self.answers["share"]
        if answer == LEAKS:
            return (
                "training rows leak, and no limit was set, so how much may leak is yours to say "
                "(--max-auc, in Python max_auc)."
            )
        said = f" ({listed([str(limit) for limit in self.limits])})" if self.limits else ""
        if answer == DO_NOT:
            broken = listed([str(x) for x in self.limits if x.passed is False])
            return f"do not use these rows: a limit of privacy is broken ({broken})."
        if answer == USE:
            if privacy is not None and privacy.leaks:
                return f"use them, if your limit is right{said}: training rows leak, within it."
            if said:
                return f"use them, as far as privacy goes: your limit is kept{said}."
            return (
                "use them, as far as privacy goes: no leak is shown, and these rows would show a "
                "large one."
            )
        if privacy is None:
            return "cannot be told: privacy was not asked about."
        if said:
            unsure = listed([str(x) for x in self.limits if x.passed is None])
            return f"cannot be told from these held-out rows ({unsure})."
        return "cannot be told: no leak is shown, but so few held-out rows would not show one."

    def _augmented(self) -> str:
        gain = self.gain
        if gain is None:
            missing = {} if self.judged is None else self.judged.missing
            return f"cannot be told: {missing.get('usefulness', 'no target was named')}."
        form = form_of(gain.unit)
        told = f"{number(gain.value, '+' + form)} {gain.unit}, 95 % interval "
        told += f"{span(gain.low, gain.high, '+' + form)}, on rows that took no part"
        if self.limits and self.kept is False:
            return f"do not use these rows: a limit of privacy is broken (models gain {told})."
        if gain.low > 0:
            if self.limits and not self.kept:
                return (
                    f"cannot be told: models gain ({told}), but these held-out rows cannot say "
                    "whether the limit of privacy is kept."
                )
            return f"use them: models gain ({told})."
        if gain.high < 0:
            return f"do not use them: models get worse ({told})."
        return f"do not use them: no gain is shown ({told})."

    @property
    def notes(self) -> tuple[str, ...]:
        """Why the race ended early, what its figures mean, and few rows."""
        early = (f"The race ended early: {self.over}.",) if self.over else ()
        limited = few_rows({"training": self.n_train})
        return (*early, *self._figures(), *limited)

    def _figures(self) -> list[str]:
        """What the columns of the table are, and how they differ from the judgement."""
        by = "what models gain that learn their rows beside the real ones"
        if self.goal != "augment":
            by = (
                "how likely the rows of that part are under each, as a forest sees it (0.1 nats a "
                "row: about a tenth less likely)"
            )
        both = ", and one of surely less use leaves" if self.goal == "both" else ""
        ahead = any((line["behind"] or 0.0) < 0 for line in self.race)
        told = [
            "In each round candidates learn the training rows without one part, which compares "
            f"them by {by}{both}. Behind the best{' that is left (below 0: ahead)' * ahead}: ± one "
            "standard error."
        ]
        judged = self.judged
        if judged is None:
            return told
        told.append(
            f"{counted(self.n_train, 'row')} raced, which flatters the best: "
            f"{judged.n_holdout or 0} that took no part judged {judged.n_synthetic} drawn rows "
            "once, and only that decides whether to use them."
        )
        attacked = None if judged.privacy is None else judged.privacy.membership
        if attacked is not None and any(line["auc"] is not None for line in self.race):
            told.append(
                "An attack tells training rows from others; an AUC of 0.5 is guessing. The table "
                "has that of each candidate in the race; that of the drawn rows, by the rows that "
                f"took no part, is {attacked.headline.text()}."
            )
        return told

    @property
    def headings(self) -> tuple[Heading, ...]:
        """Each candidate, the rows that it draws, how far it is behind, and why it left."""
        unit = next((line["unit"] for line in self.race if line["unit"]), "")
        attacked = any(line["auc"] is not None for line in self.race)  # only where a limit is set
        auc = (
            Heading.number("strongest attack, AUC", "auc", ".2f"),
            Heading.span("95 % interval", "auc_low", "auc_high", ".2f"),
        )
        return (
            Heading.text("candidate", "candidate"),
            Heading("share of rows", ("weight",), lambda share: f"{share:.0%}" if share else ""),
            Heading.number("rounds", "rounds", "d"),
            Heading(f"behind the best{', ' * bool(unit)}{unit}", ("behind", "error"), _behind),
            *(auc if attacked else ()),
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
            "limits": [limit.to_dict() for limit in self.limits],
            "gain": None if gain is None else gain.to_dict(),
            "headlines": {} if self.judged is None else self.judged.headlines,
            "notes": list(self.notes),
            "settings": dict(self.settings),
        }

    def _page(self) -> dict[str, Any]:
        return {"table_title": "All candidates"}

    def _settings(self) -> dict[str, str]:
        return self.settings


def _behind(gap: float, error: float) -> str:
    return f"{number(gap, BEHIND)} ± {error:.3f}" if gap or error else "best"
