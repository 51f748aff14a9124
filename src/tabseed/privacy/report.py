"""What an attacker gains from synthetic rows, whole: membership, disclosure, copies, and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sklearn.base import BaseEstimator, clone

from tabseed._progress import Progress, part
from tabseed._random import RandomState, child, one_thread, seed_sequence, seed_text
from tabseed.archive import Holds
from tabseed.errors import SchemaError
from tabseed.estimates.estimate import Estimate, finite
from tabseed.estimates.words import listed
from tabseed.metrics.copies import Copies, copied, count_copies
from tabseed.metrics.leakage import conform
from tabseed.pages import Finding, Heading, Row
from tabseed.parameters import (
    FUNCTION,
    MAPPING,
    SEED,
    TEXT,
    Each,
    InstanceOf,
    Parameters,
    Real,
    Whole,
    check_parameters,
    checked,
    or_none,
)
from tabseed.privacy.disclosed import Attack, DisclosureResult
from tabseed.privacy.disclosure import AttributeDisclosure
from tabseed.privacy.distances import Distances
from tabseed.privacy.inference import UNIQUE
from tabseed.privacy.inference import WORDS as DISCLOSED_BY
from tabseed.privacy.left_out import Learn
from tabseed.privacy.likelihood import Likelihood
from tabseed.privacy.limits import (
    Limit,
    all_passed,
    of_copies,
    of_disclosure,
    of_membership,
)
from tabseed.privacy.membership import MembershipInference
from tabseed.privacy.membership_result import MembershipResult
from tabseed.privacy.shadow import Refit
from tabseed.privacy.targets import Targets
from tabseed.table import Frame, Table
from tabseed.table.schema import Schema

MAX_AUC, MAX_DISCLOSURE = 0.6, 0.09
MAX_ROWS = 2_000  # whose distances are measured
ATTACKED, TOLD, READ = 0, 1, 2  # random streams
SHARE = 90  # per cent of the time that membership takes, roughly
TOTAL = 100
HEADINGS = (
    Heading.text("what", "measure"),
    Heading.number("training rows", "value"),
    Heading.span("95 % interval", "low", "high"),
    Heading.number("people who trained nothing", "others"),
    Heading.number("p", "p", ".2g"),
    Heading.number("would show from", "detectable"),
    Heading.text("unit", "unit"),
)


@dataclass(frozen=True, repr=False)
class PrivacyReport(Finding):
    """What an attacker gains from the synthetic rows, and whether that is within the limits.

    ``membership`` is None without held-out rows, ``disclosure`` without sensitive columns,
    ``copies`` without held-out rows (``copied`` then says what equal rows there are). ``distances``
    decide nothing. ``limits``: each limit that was set, and whether it is kept. ``holds``: what
    the model file holds, if it was passed.
    """

    title = "What would an attacker gain?"

    membership: MembershipResult | None
    disclosure: DisclosureResult | None
    copies: Copies | None
    copied: tuple[str, ...]
    distances: Distances | None
    limits: tuple[Limit, ...]
    holds: Holds | None
    n_train: int
    n_synthetic: int
    n_holdout: int
    settings: dict[str, str] = field(compare=False)

    @property
    def passed(self) -> bool | None:
        """False if a leak is beyond a limit, True if all limits are kept, None if rows cannot tell.

        With few rows it is None where nothing leaks: a leak within the interval cannot be excluded.
        """
        return all_passed(self.limits)

    @property
    def leaks(self) -> bool | None:
        """Whether attacks, or copies, show a leak beyond chance; None if none could be asked."""
        shown = [
            None if self.membership is None else self.membership.leaks,
            None if self.disclosure is None or not self.n_holdout else self.disclosure.leaks,
            None if self.copies is None else bool(self.copies.verdict),
            True if self.copied else None,
        ]
        asked = [leak for leak in shown if leak is not None]
        return any(asked) if asked else None

    @property
    def verdict(self) -> str:
        """Whether the limits are kept, then what each attack gains."""
        parts = (
            self._limits_in_words(),
            "" if self.copies is None else self.copies.verdict,
            *(f"{line}." for line in self.copied),
            _NO_HOLDOUT if self.membership is None else self.membership.verdict,
            "" if self.disclosure is None else self.disclosure.verdict,
        )
        return " ".join(filter(None, parts))

    def _limits_in_words(self) -> str:
        passed = self.passed
        if not self.limits:
            return ""
        failed = [str(limit) for limit in self.limits if limit.passed is False]
        unknown = [str(limit) for limit in self.limits if limit.passed is None]
        if passed:
            return f"Privacy is within the limits ({listed([str(x) for x in self.limits])})."
        if failed:
            return f"Privacy is not within the limits ({listed(failed)})."
        return f"Whether privacy is within the limits cannot be told ({listed(unknown)})."

    @property
    def advice(self) -> tuple[str, ...]:
        """What to change if the limits are not kept, or not known to be."""
        if self.passed:
            return ()
        if self.passed is None:
            return (_MORE_ROWS,)
        copies = self.copies is not None and not of_copies(self.copies).passed
        return (*([_NO_COPIES] if copies else []), _FURTHER)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to change, what the model file holds, and what limits each part."""
        parts = (
            () if self.membership is None else self.membership.notes,
            () if self.disclosure is None else self.disclosure.notes,
        )
        said = str(self.holds)
        return (
            *self.advice,
            *([] if self.holds is None else [f"{said[0].upper()}{said[1:]}."]),
            *([] if self.copies is None else [f"{self.copies}."]),
            *([] if self.disclosure is not None else [_NOT_SENSITIVE]),
            *dict.fromkeys(note for notes in parts for note in notes),
            *([] if self.distances is None else [f"{self.distances}."]),
        )

    @property
    def headings(self) -> tuple[Heading, ...]:
        """Each measure of training rows, beside people who trained nothing, and its limit."""
        return HEADINGS

    def rows(self) -> list[Row]:
        """Return what an attacker gains, in one table: AUC, shares told right, copies."""
        found = []
        if self.membership is not None:
            found += _of_membership(self.membership)
        if self.disclosure is not None:
            found += [_of_attack(attack) for attack in _strongest(self.disclosure)]
        if self.copies is not None:
            found += _of_copies(self.copies)
        return found or [_row("nothing: no held-out rows and no sensitive columns", None, "")]

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        everything = {
            "verdict": self.verdict,
            "passed": self.passed,
            "limits": [limit.to_dict() for limit in self.limits],
            "advice": list(self.advice),
            "notes": list(self.notes),
            "rows": {
                "train": self.n_train,
                "synthetic": self.n_synthetic,
                "holdout": self.n_holdout,
            },
            "membership": None if self.membership is None else self.membership.to_dict(),
            "disclosure": None if self.disclosure is None else self.disclosure.to_dict(),
            "copies": None if self.copies is None else self.copies.to_dict(),
            "copied": list(self.copied),
            "distances": None if self.distances is None else self.distances.to_dict(),
            "holds": None if self.holds is None else self.holds.to_dict(),
            "settings": dict(self.settings),
        }
        return finite(everything)

    def _settings(self) -> dict[str, str]:
        return self.settings


_NO_HOLDOUT = (
    "Whether training rows can be told from others cannot be said without held-out rows, which "
    "trained nothing."
)
_NOT_SENSITIVE = "No sensitive column is named, so disclosure of single columns was not asked."
_NO_COPIES = (
    "To change: resampled rows and SMOTE repeat training rows or nearly so; trees and the copula "
    "draw anew."
)
_FURTHER = (
    "To change: a copula, no more synthetic rows than training rows, or much larger leaves "
    "(min_leaf of 30 in SequentialTrees) follow single rows less, at a cost in likeness; only "
    "differential privacy is a guarantee."
)
_MORE_ROWS = (
    "To change: more held-out rows would show smaller leaks, and so whether the limits are kept."
)


class Privacy(BaseEstimator):
    """Ask what an attacker would gain: membership, sensitive columns, copies; compare with limits.

    Parameters
    ----------
    sensitive, keys, bins, cuts
        Of :class:`~tabseed.privacy.disclosure.AttributeDisclosure`; ``sensitive`` None: disclosure
        of single columns is not asked.
    max_auc : float or None
        Limit for the AUC of telling training rows from others (0.5 is guessing); None: no limit.
    max_disclosure : float or None
        Limit for the share of training rows about whom an attacker is right beyond other people.
        0.09 is the limit that Canadian and European regulators use for the probability that a
        person is identified (arXiv 2601.12124).
    membership : MembershipInference or None
        The attacks on membership; None: with its defaults.

    References: see both parts; ``passed`` is None rather than True where the rows cannot tell.
    """

    references: ClassVar[tuple[str, ...]] = ("arXiv:2503.04980", "arXiv:2601.12124")
    parameters: ClassVar[Parameters] = {
        "sensitive": or_none(Each(TEXT)),
        "keys": or_none(Each(TEXT)),
        "bins": Whole(2, 100),
        "cuts": or_none(MAPPING),
        "max_auc": or_none(Real(0.5, 1)),
        "max_disclosure": or_none(Real(0, 1)),
        "membership": or_none(InstanceOf(MembershipInference, "a MembershipInference")),
    }

    def __init__(
        self,
        sensitive: Sequence[str] | None = None,
        keys: Sequence[str] | None = None,
        *,
        bins: int = 10,
        cuts: Mapping[str, Sequence[float]] | None = None,
        max_auc: float | None = MAX_AUC,
        max_disclosure: float | None = MAX_DISCLOSURE,
        membership: MembershipInference | None = None,
    ) -> None:
        self.sensitive = sensitive
        self.keys = keys
        self.bins = bins
        self.cuts = cuts
        self.max_auc = max_auc
        self.max_disclosure = max_disclosure
        self.membership = membership

    @checked(
        random_state=SEED,
        refit=or_none(FUNCTION),
        likelihood=or_none(FUNCTION),
        learn=or_none(FUNCTION),
        holds=or_none(InstanceOf(Holds, "what a generator holds, or None")),
        progress=or_none(FUNCTION),
    )
    def evaluate(  # noqa: PLR0913 - three tables, and what an attacker knows of the generator
        self,
        train: Frame,
        synthetic: Frame,
        holdout: Frame | None = None,
        *,
        random_state: RandomState = 0,
        refit: Refit | None = None,
        likelihood: Likelihood | None = None,
        learn: Learn | None = None,
        holds: Holds | None = None,
        progress: Progress | None = None,
    ) -> PrivacyReport:
        """Attack ``synthetic``, whose generator learned ``train`` and never saw ``holdout``.

        All are frames or Tables; the schema is that of ``train``. ``refit``, ``likelihood`` and
        ``learn``: see :meth:`MembershipInference.evaluate`. ``holds``: the generator's, for the
        report. Without ``holdout`` only disclosure is asked, and not compared. Errors and cost:
        those of the parts.
        """
        check_parameters(self)
        stream = seed_sequence(random_state)
        schema = Table.from_frame(train).schema.modelled
        real, fake = conform(train, schema, "train"), conform(synthetic, schema, "synthetic")
        held_out = None if holdout is None else conform(holdout, real.schema, "holdout")
        membership = disclosure = None
        if held_out is not None:
            attacks = MembershipInference() if self.membership is None else clone(self.membership)
            membership = attacks.evaluate(
                real,
                fake,
                held_out,
                random_state=child(stream, ATTACKED),
                refit=refit,
                likelihood=likelihood,
                learn=learn,
                progress=part(progress, 0, SHARE, TOTAL, "membership"),
            )
        if self.sensitive is not None:
            disclosure = self._disclosure().evaluate(
                real,
                fake,
                held_out,
                random_state=child(stream, TOLD),
                progress=part(progress, SHARE, TOTAL, TOTAL, "disclosure"),
            )
        copies = distances = None
        if held_out is not None:
            copies = count_copies(real, fake, held_out)
            read = Targets.of((real, held_out, fake), MAX_ROWS, child(stream, READ))
            with one_thread():
                distances = Distances.of(read)
        return PrivacyReport(
            membership=membership,
            disclosure=disclosure,
            copies=copies,
            copied=copied(real, fake) if copies is None else (),
            distances=distances,
            limits=self._limits(membership, disclosure, copies),
            holds=holds,
            n_train=len(real),
            n_synthetic=len(fake),
            n_holdout=0 if held_out is None else len(held_out),
            settings={
                "seed": seed_text(stream),
                "max_auc": str(self.max_auc),
                "max_disclosure": str(self.max_disclosure),
            },
        )

    def check_columns(self, schema: Schema) -> None:
        """Raise SchemaError for named columns that a table lacks or leaves out, or not together."""
        for name in (*(self.sensitive or ()), *(self.keys or ())):
            if (column := schema[name]) in schema.left_out:
                raise SchemaError(
                    f"column {column.name!r} is left out "
                    f"({column.reason.removesuffix(': left out')}), so nothing is told of it; set "
                    "another kind"
                )
        if self.sensitive is not None:
            self._disclosure().check_columns(schema.modelled)

    def _disclosure(self) -> AttributeDisclosure:
        return AttributeDisclosure(self.sensitive or (), self.keys, bins=self.bins, cuts=self.cuts)

    def _limits(
        self,
        membership: MembershipResult | None,
        disclosure: DisclosureResult | None,
        copies: Copies | None,
    ) -> tuple[Limit, ...]:
        """Return the limits that are set; copies are always asked where others are known."""
        found = []
        if self.max_auc is not None:
            found.append(of_membership(membership, self.max_auc))
        if self.max_disclosure is not None and disclosure is not None:
            found.append(of_disclosure(disclosure, self.max_disclosure))
        if copies is not None and found:
            found.append(of_copies(copies))
        return tuple(found)


def _row(measure: str, estimate: Estimate | None, unit: str, **more: float | None) -> Row:
    row: Row = {"measure": measure, "value": None, "low": None, "high": None}
    if estimate is not None:
        row |= {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    row |= dict.fromkeys(("others", "p", "detectable"))
    return row | more | {"unit": unit}


def _of_membership(result: MembershipResult) -> list[Row]:
    """Return the attacks that tell most, of all rows and of the exposed ones."""
    best = max(result.attacks, key=lambda a: (-a.p_value, a.auc.value))
    measure = f"told from others by the strongest of {len(result.attacks)} attacks"
    rows = [
        _row(
            measure,
            best.auc,
            "AUC",
            others=0.5,
            p=result.p_value,
            detectable=result.detectable,
        )
    ]
    exposed = [a for a in result.attacks if a.exposed is not None]
    if exposed:
        best = max(exposed, key=lambda a: (-a.p_exposed, a.exposed.value if a.exposed else 0.0))
        rows.append(
            _row(
                f"the same, of the {result.n_exposed} most exposed rows",
                best.exposed,
                "AUC",
                others=0.5,
                p=result.p_value,
                detectable=result.detectable_exposed,
            )
        )
    return rows


def _strongest(result: DisclosureResult) -> list[Attack]:
    """Return the attack on who people are, and the one that stands out most for each column."""
    found = [attack for attack in result.attacks if attack.how == UNIQUE]
    for name in result.sensitive:
        of = [attack for attack in result.attacks if attack.column == name]
        found.append(min(of, key=lambda a: (1.0 if a.p is None else a.p, -a.right)))
    return found


def _of_attack(attack: Attack) -> Row:
    what = f"column {attack.column!r}" if attack.column else "who it is"
    low, high = attack.interval
    share = Estimate(attack.right / attack.n, low, high, "share")
    return _row(
        f"{what}, told right by {DISCLOSED_BY[attack.how]}",
        share,
        "share",
        others=attack.right_others / attack.n_others if attack.n_others else None,
        p=attack.p,
        detectable=attack.detectable,
    )


def _of_copies(copies: Copies) -> list[Row]:
    near, near_others = copies.shares(copies.n_near, copies.n_near_holdout)
    natural = copies.n_expected / copies.n_synthetic
    equal, _ = copies.shares(copies.n_equal, 0)
    return [
        _row("synthetic rows equal to a training row", equal, "share", others=float(natural)),
        _row("synthetic rows nearly equal to one", near, "share", others=near_others.value),
    ]
