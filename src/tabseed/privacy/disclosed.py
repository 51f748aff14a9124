"""The answer on attribute disclosure: what attacks get right about training rows and others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tabseed.estimates.estimate import Estimate, finite
from tabseed.estimates.shares import wilson
from tabseed.estimates.words import few_rows, listed, number
from tabseed.metrics.leakage import Overlap
from tabseed.pages import Finding, Heading, Row
from tabseed.privacy.inference import EXACT, UNIQUE, WORDS
from tabseed.privacy.keys import Disclosive, Uniques
from tabseed.table.display import counted

LEVEL = 0.05
SHOWN = 0.5  # an excess that only more can show is none that rows can tell of
HEADINGS = (
    Heading.text("of", "sensitive"),
    Heading.text("told by", "attack"),
    Heading.number("training rows told right", "right"),
    Heading.number("other people", "right_others"),
    Heading.span("95 % interval of the excess", "excess_low", "excess_high"),
    Heading.number("p", "p"),
    Heading.number("excess that would show", "detectable"),
    Heading.number("precision", "precision"),
    Heading.number("of a model of real rows", "population"),
)


@dataclass(frozen=True)
class Attack:
    """How often one attack is right, about training rows and about people who trained nothing.

    ``column``: the sensitive one, "" where the attack tells who a person is; ``how``: one of the
    keys of :data:`~tabseed.privacy.inference.WORDS`. It speaks of ``attacked`` of ``n`` training
    rows and is ``right`` about so many; likewise for the ``n_others`` held-out rows, 0 without.
    ``population``: the share of these ``attacked`` that a model of the other real rows tells right.
    ``excess``: the share of training rows told right less that of others; ``bounds`` hold for all
    attacks together with 95 %. ``p``: adjusted for all attacks (Holm). ``detectable``: the excess
    that would be found with 80 % power; None: none.
    """

    column: str
    how: str
    n: int
    attacked: int
    right: int
    n_others: int = 0
    attacked_others: int = 0
    right_others: int = 0
    population: float | None = None
    excess: Estimate | None = None
    bounds: tuple[float, float] | None = None
    p: float | None = None
    detectable: float | None = None

    @property
    def disclosed(self) -> bool:
        """Whether training rows are told right more often than others, beyond chance."""
        return self.p is not None and self.p <= LEVEL

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share of training rows told right."""
        return wilson(self.right, self.n)

    @property
    def precision(self) -> float | None:
        """The share right of the training rows attacked, None of none."""
        return self.right / self.attacked if self.attacked else None

    @property
    def precision_others(self) -> float | None:
        """The share right of the others attacked, None of none."""
        return self.right_others / self.attacked_others if self.attacked_others else None

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        return {
            **asdict(self),
            "excess": None if self.excess is None else self.excess.to_dict(),
            "bounds": None if self.bounds is None else list(self.bounds),
            "precision": self.precision,
            "precision_others": self.precision_others,
        }


@dataclass(frozen=True, repr=False)
class DisclosureResult(Finding):
    """What an attacker who knows some columns of a person learns of others.

    ``keys`` must agree exactly in the attacks ``unique`` and ``exact``; the attacks ``nearest``
    and ``closest`` use all of ``known``. ``attacks``: the one on who a person is, then three for
    each sensitive column. ``uniques`` and ``columns`` (by sensitive column) are the measures of
    Raab, Nowok and Dibben; ``key_copies`` counts the synthetic rows with keys of a training row.
    """

    title = "What do the synthetic rows tell about a person?"

    sensitive: tuple[str, ...]
    keys: tuple[str, ...]
    known: tuple[str, ...]
    attacks: tuple[Attack, ...]
    uniques: Uniques
    columns: dict[str, Disclosive]
    key_copies: Overlap
    n_train: int
    n_synthetic: int
    n_holdout: int
    settings: dict[str, str] = field(compare=False)
    unknown: tuple[str, ...] = ()

    @property
    def strongest(self) -> Attack:
        """The attack that stands out most against other people; without these, the best guess."""
        if not self.n_holdout:
            return max(self.attacks[1:], key=lambda attack: attack.right)
        return min(self.attacks, key=lambda a: (a.p, -(a.excess.value if a.excess else 0.0)))

    @property
    def detectable(self) -> float | None:
        """The excess that no attack would miss with 80 % power; None without held-out rows.

        An attack that can show none counts as the largest excess possible, 1 less the share right.
        """
        if not self.n_holdout:
            return None
        return max(
            1 - a.right_others / a.n_others if a.detectable is None else a.detectable
            for a in self.attacks
        )

    @property
    def largest(self) -> tuple[float, float] | None:
        """The ends, with 95 %, of the largest excess of all attacks; None without others."""
        ends = [attack.bounds for attack in self.attacks if attack.bounds is not None]
        return (max(a for a, _ in ends), max(b for _, b in ends)) if ends else None

    @property
    def leaks(self) -> bool:
        """Whether training rows are told right more often than other people, beyond chance."""
        return bool(self.n_holdout) and self.strongest.disclosed

    @property
    def verdict(self) -> str:
        """Whether training rows are told right more often than other people, by what."""
        attack = self.strongest
        if not self.n_holdout:
            said = _said(attack, self)
            return (
                f"{said[0].upper()}{said[1:]}. Whether that is more than the synthetic rows tell "
                "about anyone cannot be told without held-out rows."
            )
        if attack.disclosed:
            assert attack.bounds is not None
            least = max(attack.bounds[0], 0.0)
            at_least = f"at least {_points(least)} more, " if least > 0 else ""
            return (
                f"The synthetic rows disclose training rows: {_said(attack, self)}, and for "
                f"{_percent(attack.right_others, attack.n_others)} of people who trained nothing "
                f"({at_least}{_chance(attack.p)})."
            )
        limit, names = self.detectable, _names(self.sensitive)
        assert limit is not None
        if limit > SHOWN:
            return (
                f"Whether the synthetic rows tell more of {names} about training rows than about "
                f"other people cannot be told: {self.n_train} training and {self.n_holdout} "
                "held-out rows are too few."
            )
        return (
            f"The synthetic rows tell no more of {names} about training rows than about people who "
            f"trained nothing, as far as these rows show; an excess of {_points(limit)} would "
            "be found with a probability of 80 %."
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What is known, the measures of each column, and what limits them."""
        more = len(self.known) > len(self.keys)
        return (
            f"An attacker knows {_names(self.keys)} exactly"
            f"{', or all other columns by likeness' * more}.",
            *(_measured(name, counts) for name, counts in self.columns.items()),
            _singled(self.uniques, self.key_copies),
            *([_KNOWLEDGE] if self.n_holdout else []),
            *few_rows(
                {"training": self.n_train}
                | ({"held-out": self.n_holdout} if self.n_holdout else {})
            ),
            *self.unknown,
        )

    @property
    def headings(self) -> tuple[Heading, ...]:
        """Each attack, how often it is right about training rows and others, and the excess."""
        return HEADINGS

    def rows(self) -> list[Row]:
        """Return what each attack gets right."""
        return [
            {
                "sensitive": attack.column or "who it is",
                "attack": WORDS[attack.how],
                "how": attack.how,
                "attacked": attack.attacked / attack.n,
                "right": attack.right / attack.n,
                "right_others": attack.right_others / attack.n_others if attack.n_others else None,
                "excess": attack.excess.value if attack.excess else None,
                "excess_low": attack.excess.low if attack.excess else None,
                "excess_high": attack.excess.high if attack.excess else None,
                "p": attack.p,
                "detectable": attack.detectable,
                "precision": attack.precision,
                "precision_others": attack.precision_others,
                "population": attack.population,
            }
            for attack in self.attacks
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        everything = {
            "verdict": self.verdict,
            "notes": list(self.notes),
            "rows": {
                "train": self.n_train,
                "synthetic": self.n_synthetic,
                "holdout": self.n_holdout,
            },
            "sensitive": list(self.sensitive),
            "keys": list(self.keys),
            "known": list(self.known),
            "attacks": [attack.to_dict() for attack in self.attacks],
            "uniques": asdict(self.uniques),
            "columns": {name: asdict(counts) for name, counts in self.columns.items()},
            "key_copies": self.key_copies.to_dict(),
            "settings": dict(self.settings),
        }
        return finite(everything)

    def _settings(self) -> dict[str, str]:
        return self.settings


_KNOWLEDGE = (
    "What is told right about both training rows and other people is knowledge of the population, "
    "which useful rows cannot hide, and no breach; the excess on training rows is."
)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %"


def _points(share: float) -> str:
    return f"{100 * share:.1f} percentage points"


def _chance(p: float | None) -> str:
    return "p below 0.001" if p is not None and p < 0.001 else f"p = {number(p)}"


def _names(names: Sequence[str]) -> str:
    return listed([repr(name) for name in names])


def _said(attack: Attack, result: DisclosureResult) -> str:
    """Say what an attack gets right of the training rows."""
    share = _percent(attack.right, attack.n)
    if attack.how == UNIQUE:
        return (
            f"{share} of training rows are singled out by {_names(result.keys)}, and synthetic "
            "rows have these keys"
        )
    knows = result.keys if attack.how == EXACT else result.known
    known = _names(knows) if len(knows) <= 5 else f"the other {counted(len(knows), 'column')}"
    return (
        f"who knows {known} is right about {attack.column!r}, by {WORDS[attack.how]}, for {share} "
        "of training rows"
    )


def _measured(name: str, of: Disclosive) -> str:
    """Give the measures of a sensitive column in words."""
    if not of.n_correct:
        return (
            f"Column {name!r}: of {of.n} training rows {of.n_present} have keys of synthetic rows, "
            f"{of.n_in_synthetic} keys with one level only (DiS), which is never their own."
        )
    return (
        f"Column {name!r}: of {of.n} training rows {of.n_present} have keys of synthetic rows, "
        f"{of.n_in_synthetic} keys with one level only (DiS), which is their own for "
        f"{of.n_correct} (DiSCO, {_percent(of.n_correct, of.n)}; shuffled cells would give "
        f"{100 * of.shuffled:.0f} %). All training rows with the same keys have it for {of.n_both} "
        f"of these (DiSDiO), 5 or more others for {of.n_common}: what many share, not a secret. "
        f"{of.n_level} are {of.level}, as are {of.n_of_level} of all training rows."
    )


def _singled(of: Uniques, copies: Overlap) -> str:
    return (
        f"Of {of.n} training rows the keys single out {of.n_unique}; {of.n_present} of these keys "
        f"occur in synthetic rows, {of.n_replicated} exactly once (replicated uniques, "
        f"{_percent(of.n_replicated, of.n)}). {copies.n_equal} of {copies.n_holdout} synthetic "
        f"rows have the exact keys of a training row, about {copies.n_expected:.0f} expected by "
        "natural repetition."
    )
