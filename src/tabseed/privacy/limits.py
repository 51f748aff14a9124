"""Whether what an attacker gains is within limits that a user sets: yes, no, or cannot be told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from tabseed.estimates.shares import wilson
from tabseed.estimates.words import number
from tabseed.metrics.copies import Copies
from tabseed.privacy.disclosed import LEVEL, DisclosureResult
from tabseed.privacy.membership_result import MembershipResult

MEMBERSHIP, DISCLOSURE, COPIES = "membership", "disclosure", "copies"


@dataclass(frozen=True)
class Limit:
    """One limit: ``passed`` is True if the whole interval keeps it, False if a leak is beyond it.

    ``value`` with its interval ``low`` to ``high`` is what was compared with ``limit``; they are
    None where nothing could be measured. ``passed`` is None if the rows cannot tell.
    """

    name: str
    limit: float | None
    value: float | None
    low: float | None
    high: float | None
    passed: bool | None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return asdict(self)

    def __str__(self) -> str:
        if self.name == COPIES:
            return "no more copies than by nature" if self.passed else "copies of training rows"
        what = "an AUC" if self.name == MEMBERSHIP else "an excess"
        if self.value is None or self.high is None:
            return "without held-out rows no AUC is known"
        if self.passed:
            return f"{what} of at most {number(self.high)} keeps the limit of {self.limit:g}"
        if self.passed is None:
            return (
                f"{what} of {number(self.high)} cannot be excluded, and the limit is {self.limit:g}"
            )
        if self.limit is not None and self.value > self.limit:
            return f"{what} of {number(self.value)} exceeds the limit of {self.limit:g}"
        return "single training rows are told, whatever the AUC of all"


def all_passed(limits: Iterable[Limit]) -> bool | None:
    """Return False if a limit is passed by none, True if by all, else None; None for no limits."""
    passed = [limit.passed for limit in limits]
    if False in passed:
        return False
    return None if None in passed or not passed else True


def of_membership(result: MembershipResult | None, limit: float) -> Limit:
    """Compare the AUC of all attacks, over all rows, with the limit.

    Beyond it: a leak is proven, at 5 % for all attacks together, and the AUC that proves it is
    beyond the limit: of the strongest attack, over all rows or the exposed ones; of shadow tables,
    in the mean or of a row told alone. A leak of the rows that an attack is surest of is always
    beyond. Within: the intervals of all attacks, and of the mean of shadow tables, end below it.
    """
    if result is None:
        return Limit(MEMBERSHIP, limit, None, None, None, None)
    shadow, ends = result.shadow, [attack.auc.high for attack in result.attacks]
    level = LEVEL if shadow is None else LEVEL / 2
    proven = [result.headline.value] if result.p_labels <= level else []
    single = bool(proven) and result.kind == "first"
    if shadow is not None:
        ends.append(shadow.mean_auc.high)
        if shadow.p_value <= level:
            proven += [shadow.mean_auc.value, *([shadow.max_auc] if shadow.n_told else [])]
    value = max(proven or [result.headline.value])
    if single or (proven and value > limit):
        passed: bool | None = False
    else:
        passed = True if max(ends) <= limit else None
    return Limit(MEMBERSHIP, limit, value, result.at_least, max(ends), passed)


def of_disclosure(result: DisclosureResult, limit: float) -> Limit:
    """Compare the excess of the share of training rows told right with the limit.

    Beyond it: an attack tells training rows right more often than others, beyond chance for all
    attacks together, and by more than the limit. Within: the ends of all excesses together are
    (Bonferroni). Without held-out rows only shares that are themselves within the limit are.
    """
    largest, attacks = result.largest, result.attacks
    if largest is None:
        value, count = max((a.right / a.n, (a.right, a.n)) for a in attacks)
        low, high = wilson(*count, level=1 - LEVEL / len(attacks))
        return Limit(DISCLOSURE, limit, value, low, high, True if high <= limit else None)
    proven = [a.excess.value for a in attacks if a.disclosed and a.excess is not None]
    value = max(proven or [a.excess.value for a in attacks if a.excess is not None])
    if proven and value > limit:
        passed: bool | None = False
    else:
        passed = True if largest[1] <= limit else None
    return Limit(DISCLOSURE, limit, value, *largest, passed)


def of_copies(copies: Copies) -> Limit:
    """Ask for no more exact or near copies of training rows than chance gives."""
    beyond = copies.equal_beyond_chance or copies.near_beyond_chance
    share = copies.n_near / copies.n_synthetic
    return Limit(COPIES, None, share, *wilson(copies.n_near, copies.n_synthetic), not beyond)
