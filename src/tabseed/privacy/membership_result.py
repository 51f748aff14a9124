"""The answer to whether training rows can be told from others: a verdict with its null."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from tabseed.estimates.estimate import Estimate
from tabseed.estimates.words import few_rows, number
from tabseed.pages import Finding, Heading, Row
from tabseed.privacy.attacks import WORDS
from tabseed.privacy.bounds import EpsilonBound
from tabseed.privacy.left_out import LeftOut, in_words
from tabseed.privacy.null import EXPOSED, LEVEL
from tabseed.privacy.shadow import ShadowResult
from tabseed.table.display import counted

GUESS = 0.5
ATTACKERS = {  # by what they need
    "rows": "An attacker",
    "generator": "An attacker who fits the generator anew",
    "model": "An attacker who has the model",
}
HEADINGS = (
    Heading.text("attack: a training row is given away by", "attack"),
    Heading.number("AUC", "auc"),
    Heading.span("95 % interval", "auc_low", "auc_high"),
    Heading.number("chance gives it", "p_value", ".2g"),
    Heading.number("AUC, exposed rows", "exposed"),
    Heading.span("95 % interval", "exposed_low", "exposed_high"),
    Heading.number("chance gives it", "p_exposed", ".2g"),
    Heading.number("rows told first by chance", "p_first", ".2g"),
)


@dataclass(frozen=True)
class AttackResult:
    """One attack: its AUC over all rows and over the most exposed ones, beside the null.

    ``needs``: what the attacker has, "rows" (synthetic ones, and the population), also the
    "generator" to fit anew, or the fitted "model".

    The p-values are exact and one-sided, of this attack alone: the share of permuted labels that
    give as much. ``p_first`` is of the rows that look most like training rows being such, the
    smaller of all rows and the exposed ones. ``exposed`` is None if all exposed rows are of one
    kind, ``p_first`` if there are too few rows.
    """

    name: str
    needs: str
    auc: Estimate
    p_value: float
    exposed: Estimate | None
    p_exposed: float
    p_first: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return {
            "attack": self.name,
            "meaning": WORDS[self.name],
            "needs": self.needs,
            "auc": self.auc.to_dict(),
            "p_value": self.p_value,
            "exposed": None if self.exposed is None else self.exposed.to_dict(),
            "p_exposed": self.p_exposed,
            "p_first": self.p_first,
        }


@dataclass(frozen=True)
class Standing:
    """The strongest of some attacks, where and by what it stands out, and the p-value of them all.

    ``scope`` and ``kind`` are those of :class:`MembershipResult`.
    """

    attack: AttackResult
    scope: str
    kind: str
    p_value: float

    @property
    def auc(self) -> Estimate:
        """The AUC of the attack, over the rows where it stands out."""
        of_exposed = self.scope == EXPOSED and self.attack.exposed is not None
        return self.attack.exposed if of_exposed else self.attack.auc  # type: ignore[return-value]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return {
            "strongest": self.attack.name,
            "scope": self.scope,
            "kind": self.kind,
            "p_value": self.p_value,
            "auc": self.auc.to_dict(),
        }


@dataclass(frozen=True)
class RowRisk:
    """A training row under the strongest attack.

    ``row``: its index in the training table. ``share``: of the held-out rows, that look as much
    like a training row, itself counted (1 + k of 1 + h): small is risky. ``shadow``: the AUC of
    tables drawn with and without the row, None if it was not looked at.
    """

    row: int
    share: float
    exposed: bool
    shadow: float | None


@dataclass(frozen=True, repr=False)
class MembershipResult(Finding):
    """What an attacker gains who asks which rows trained the generator.

    ``attacks``: all of them. ``strongest``: the one that stands out most, in ``scope`` (all rows or
    the most exposed) and by ``kind`` ("auc", or "first": the rows it is surest of). ``p_labels``:
    the exact p-value of the strongest of all attacks; ``at_least``: the lower end of the strongest
    AUC, corrected for choosing it. ``detectable`` and ``detectable_exposed``: the smallest AUC that
    these rows would show with 80 % power, None if none. ``first``: so many rows must all be told
    right to be beyond chance; more than ``n_train`` if no number is.
    ``true_positive_rates``: by false-positive rate, the share of training rows that the strongest
    attack tells; without rates that these rows cannot carry. ``roc``: false- and true-positive rate
    of that attack over all rows, and the range of the latter that chance gives. ``risks``: the rows
    at most risk. ``left_out``: exposed training rows and what learning them changed, those that
    gained most first. ``n_read``: training, held-out and synthetic rows that were read.
    ``rows_alone``: the strongest of the attacks that need neither the generator nor the model, None
    where there are no others.
    """

    title = "Can training rows be told from others?"

    attacks: tuple[AttackResult, ...]
    strongest: str
    scope: str
    kind: str
    p_labels: float
    at_least: float
    detectable: float | None
    detectable_exposed: float | None
    first: int
    true_positive_rates: dict[float, Estimate]
    roc: tuple[tuple[float, float, float, float], ...]
    epsilon: EpsilonBound
    shadow: ShadowResult | None
    risks: tuple[RowRisk, ...]
    n_train: int
    n_holdout: int
    n_synthetic: int
    n_read: tuple[int, int, int]
    n_exposed: int
    settings: dict[str, str] = field(compare=False)
    unknown: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    rows_alone: Standing | None = None

    @property
    def attack(self) -> AttackResult:
        """The attack that stands out most."""
        return next(attack for attack in self.attacks if attack.name == self.strongest)

    @property
    def headline(self) -> Estimate:
        """The AUC of that attack, over the rows where it stands out."""
        attack = self.attack
        return attack.exposed if self.scope == EXPOSED and attack.exposed else attack.auc

    @property
    def p_value(self) -> float:
        """The p-value of everything: of the two tests, twice the smaller with shadow tables."""
        if self.shadow is None:
            return self.p_labels
        return min(1.0, 2 * min(self.p_labels, self.shadow.p_value))

    @property
    def leaks(self) -> bool:
        """Whether training rows are told from others beyond chance: a p-value of at most 5 %."""
        return self.p_value <= LEVEL

    @property
    def verdict(self) -> str:
        """What an attacker gains, or what these rows could have shown."""
        if self.leaks:
            parts = (self._told(), self._told_by_shadows(), self._by_rows_alone())
            return " ".join(filter(None, parts))
        return self._nothing()

    @property
    def _by_labels(self) -> bool:
        """Whether the labels alone show a leak, at the level that the whole has."""
        return self.p_labels <= LEVEL / (1 if self.shadow is None else 2)

    def _told(self) -> str:
        if not self._by_labels:
            return ""
        auc, chance = self.headline, f"p = {number(self.p_labels, '.2g')}, all attacks counted"
        exposed, who = self.scope == EXPOSED, ATTACKERS[self.attack.needs]
        rows = "the most exposed training rows" if exposed else "training rows"
        by = f"by {WORDS[self.strongest]} ({chance})"
        if self.kind == "first":
            return (
                f"{who} tells some {'of ' * exposed}{rows} from others, {by}: of the "
                f"{self.first} rows that look most like training rows, more are than chance gives; "
                f"of all of them the AUC is {auc.text()}."
            )
        least = (
            f", at least {number(self.at_least)} as the strongest of {len(self.attacks)} attacks"
        )
        return (
            f"{who} tells {rows} from others, {by}: AUC {auc.text()}"
            f"{least if self.at_least > GUESS else ''}. Of a training row and another, that is "
            f"right in {100 * auc.value:.0f} of 100 cases; guessing is in 50."
        )

    def _told_by_shadows(self) -> str:
        shadow = self.shadow
        if shadow is None or shadow.p_value > LEVEL / 2:
            return ""
        return (
            "An attacker who fits the generator anew tells single rows: with and without one it "
            f"draws other rows, AUC {shadow.mean_auc.text()} in the mean over "
            f"{counted(shadow.n_exposed, 'exposed row')}, of which {shadow.n_told} stand out alone "
            f"(p = {number(shadow.p_value, '.2g')}, all of them counted)."
        )

    def _by_rows_alone(self) -> str:
        """Say what an attacker gains who has neither the model nor the generator."""
        best = self.rows_alone
        if best is None or (self._by_labels and self.attack.needs == "rows"):
            return ""
        chance = f"p = {number(best.p_value, '.2g')}"
        rows = " of exposed rows" * (best.scope == EXPOSED)
        if best.p_value > LEVEL:
            return (
                f"With synthetic rows alone nothing is shown ({chance}; the strongest attack has "
                f"an AUC of {number(best.auc.value)}{rows})."
            )
        return (
            f"With synthetic rows alone the strongest attack is by {WORDS[best.attack.name]}: AUC "
            f"{best.auc.text()}{rows} ({chance})."
        )

    def _nothing(self) -> str:
        strongest = (
            f"the strongest of {len(self.attacks)} attacks, by {WORDS[self.strongest]}, reaches an "
            f"AUC of {number(self.headline.value)}{' of exposed rows' * (self.scope == EXPOSED)} "
            f"(p = {number(self.p_labels, '.2g')}, all attacks counted)"
        )
        rows = f"{self.n_read[0]} training and {self.n_read[1]} held-out rows"
        if self.detectable is None:
            return (
                f"What an attacker gains cannot be told from {rows}, which are too few to show any "
                f"leak; {strongest}."
            )
        return (
            f"An attacker gains nothing that these rows can show: {strongest}. {rows.capitalize()} "
            f"would show an AUC above {number(self.detectable, '.2f')} in 4 of 5 cases (guessing "
            "has 0.50); a smaller leak cannot be told from none."
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the attacker knows, what exposed rows could show, rates, epsilon, and limits."""
        n, h, m = self.n_read
        read = (
            ("training", n, self.n_train),
            ("held-out", h, self.n_holdout),
            ("synthetic", m, self.n_synthetic),
        )
        return (
            "The attacker knows the synthetic rows and, as the population, all real rows but the "
            "one under attack: more than most attackers know. No attack sees which rows trained.",
            "An interval is that of its attack alone, as if it had not been chosen; p counts all.",
            self._exposed(),
            self._few(),
            *self._rates(),
            self._epsilon(),
            *([] if self.shadow is None else [self._shadows(self.shadow)]),
            *([in_words(self.left_out)] if self.left_out else []),
            *(
                f"{used} of {of} {kind} rows were read, drawn at random."
                for kind, used, of in read
                if used < of
            ),
            *few_rows({"training": self.n_train, "held-out": self.n_holdout}),
            *self.unknown,
        )

    def _exposed(self) -> str:
        text = f"The {self.n_exposed} most exposed rows are those farthest from all other real rows"
        if self.detectable_exposed is None:
            return f"{text}; they are too few to show a leak by their AUC."
        return (
            f"{text}; they would show an AUC above {number(self.detectable_exposed, '.2f')} in 4 "
            "of 5 cases."
        )

    def _few(self) -> str:
        n, h, _ = self.n_read
        if self.first > n:
            return f"With {n} training rows beside {h} others no number of rows told stands out."
        return (
            f"With {n} training rows beside {h} others, {self.first} rows that are all told right "
            "stand out from chance; a generator that gives away fewer is found by its copies and "
            "by shadow tables, not here."
        )

    def _rates(self) -> tuple[str, ...]:
        if not self.true_positive_rates:
            return (
                f"{self.n_read[1]} held-out rows are too few for a true-positive rate at 10 % "
                "false positives, which takes 50, or at 1 %, which takes 500.",
            )
        return tuple(
            f"At {100 * f:.0f} % false positives the strongest attack tells "
            f"{100 * rate.value:.0f} % of the training rows (95 % interval {100 * rate.low:.0f} to "
            f"{100 * rate.high:.0f} %)."
            for f, rate in self.true_positive_rates.items()
        )

    def _epsilon(self) -> str:
        epsilon = self.epsilon
        if epsilon.at_least == 0:
            return "No lower bound above 0 on epsilon of differential privacy follows."
        return (
            f"Epsilon of differential privacy is at least {number(epsilon.at_least, '.2f')} "
            f"(95 %): {epsilon.right} of {epsilon.guessed} rows guessed to be training rows are. "
            "That bounds it from below only; no attack shows that it is small."
        )

    def _shadows(self, shadow: ShadowResult) -> str:
        detectable = (
            "so few tables seldom show a single row"
            if shadow.detectable is None
            else f"they would show a single row's above {number(shadow.detectable, '.2f')}"
        )
        return (
            f"{shadow.shadows} tables drawn by generators that learned halves of the real rows "
            f"tell whether an exposed row was learned with AUC {shadow.mean_auc.text()} in the "
            f"mean; {detectable}."
        )

    @property
    def headings(self) -> tuple[Heading, ...]:
        """Each attack, its AUC of all rows and of exposed ones, and how often chance gives it."""
        return HEADINGS

    def rows(self) -> list[Row]:
        """Return the attacks, the strongest first."""
        return [
            {
                "attack": WORDS[attack.name],
                "name": attack.name,
                "needs": attack.needs,
                **_numbers("auc", attack.auc),
                "p_value": attack.p_value,
                **_numbers("exposed", attack.exposed),
                "p_exposed": attack.p_exposed,
                "p_first": attack.p_first,
            }
            for attack in sorted(
                self.attacks, key=lambda a: (a.name != self.strongest, a.p_value, -a.auc.value)
            )
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        n, h, m = self.n_read
        return {
            "verdict": self.verdict,
            "notes": list(self.notes),
            "leaks": self.leaks,
            "p_value": self.p_value,
            "p_labels": self.p_labels,
            "headline": self.headline.to_dict(),
            "at_least": self.at_least,
            "strongest": self.strongest,
            "scope": self.scope,
            "kind": self.kind,
            "detectable": self.detectable,
            "detectable_exposed": self.detectable_exposed,
            "first": self.first,
            "attacks": [attack.to_dict() for attack in self.attacks],
            "true_positive_rates": {
                f"{f:g}": rate.to_dict() for f, rate in self.true_positive_rates.items()
            },
            "roc": [list(point) for point in self.roc],
            "epsilon": self.epsilon.to_dict(),
            "shadow": None if self.shadow is None else self.shadow.to_dict(),
            "rows_alone": None if self.rows_alone is None else self.rows_alone.to_dict(),
            "left_out": [row.to_dict() for row in self.left_out],
            "risks": [asdict(risk) for risk in self.risks],
            "rows": {
                "train": self.n_train,
                "holdout": self.n_holdout,
                "synthetic": self.n_synthetic,
                "exposed": self.n_exposed,
                "read": {"train": n, "holdout": h, "synthetic": m},
            },
            "settings": dict(self.settings),
        }

    def _settings(self) -> dict[str, str]:
        return self.settings


def _numbers(name: str, estimate: Estimate | None) -> Row:
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
