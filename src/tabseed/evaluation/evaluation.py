"""Judge a synthetic table by three questions: is it alike, is it useful, and whose secrets?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import clone

from tabseed._progress import Progress, part, silent
from tabseed._random import RandomState, child, seed_sequence
from tabseed.errors import TabseedError, TooFewRowsError
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.words import few_rows
from tabseed.evaluation import drawing
from tabseed.evaluation.likeness import conform_three
from tabseed.evaluation.likeness_report import LikenessReport
from tabseed.evaluation.pictures import Pictures
from tabseed.evaluation.questions import Questions
from tabseed.metrics import check_leakage
from tabseed.metrics.leakage import Overlap, check_unseen, unknown_values
from tabseed.pages import Finding, Heading, Row, versions
from tabseed.parameters import (
    FUNCTION,
    N_JOBS,
    SEED,
    TEXT,
    InstanceOf,
    checked,
    given_or_default,
    or_none,
)
from tabseed.privacy.report import PrivacyReport
from tabseed.table import Frame, Table
from tabseed.table.schema import Schema
from tabseed.utility.report import UtilityReport

LIKENESS, USEFULNESS, PRIVACY = PARTS = ("likeness", "usefulness", "privacy")
ASKED = {LIKENESS: "Alike?", USEFULNESS: "Useful?", PRIVACY: "Whose secrets?"}
STARTS = {LIKENESS: 0, USEFULNESS: 40, PRIVACY: 70, "done": 100}  # of the parts, per cent of time
STREAMS = {name: index for index, name in enumerate((*PARTS, "pictures"))}
TOTAL = 100
NO_HOLDOUT = (
    "there are no held-out rows, which trained nothing; set some aside before the generator learns "
    "(tabseed split)"
)
NO_TARGET = "no column to predict was named (target)"
NOT_ASKED = "it was not asked"
UNANSWERED = "Not answered"
REPEAT = 0.1  # share of held-out rows that equal training rows, from which on it is said
DIFFER = {True: "They differ", False: "No difference shown", None: "Cannot be told"}
LEAK = {True: "Training rows leak", False: "No leak shown", None: "Cannot be told"}
DIVERGENCES = (
    "Jensen-Shannon divergence, plain",
    "Jensen-Shannon divergence, coarse",
    "Kullback-Leibler divergence, plain, at least",
)
HEADINGS = (
    Heading.text("question", "question"),
    Heading.text("measure", "measure"),
    Heading.number("synthetic rows", "value"),
    Heading.span("95 % interval", "low", "high"),
    Heading.number("real rows get", "real"),
    Heading.text("unit", "unit"),
)


@dataclass(frozen=True, repr=False)
class Evaluation(Finding):
    """A synthetic table judged by three questions: the answer of :func:`evaluate`.

    ``likeness``, ``usefulness`` and ``privacy`` are answers of their own; ``missing`` says of each
    that is None why. ``left_out`` names each column not compared, with the reason; ``empty`` each
    column without a value, with its table; ``unknown`` which values the training table lacks.
    """

    title = "Evaluation of a synthetic table"
    _template = "evaluation/page.html"

    n_train: int
    n_synthetic: int
    n_holdout: int | None
    columns: tuple[str, ...]
    left_out: dict[str, str]
    likeness: LikenessReport | None
    usefulness: UtilityReport | None
    privacy: PrivacyReport | None
    missing: dict[str, str]
    pictures: Pictures = field(repr=False)
    empty: tuple[tuple[str, str], ...]
    settings: dict[str, Any] = field(compare=False)
    unknown: tuple[str, ...] = ()
    repeated: Overlap | None = None

    @property
    def parts(self) -> dict[str, Finding | None]:
        """The three answers by name."""
        return {LIKENESS: self.likeness, USEFULNESS: self.usefulness, PRIVACY: self.privacy}

    @property
    def answers(self) -> dict[str, str]:
        """Each question with its answer in a few sentences, or why there is none."""
        return {
            question: f"{UNANSWERED}: {self.missing[name]}." if answer is None else answer.verdict
            for (name, question), answer in zip(ASKED.items(), self.parts.values(), strict=True)
        }

    @property
    def headlines(self) -> dict[str, str]:
        """Each question with its answer in a few words."""
        likeness, usefulness, privacy = self.likeness, self.usefulness, self.privacy
        cost = None if usefulness is None else usefulness.cost
        said = {
            LIKENESS: DIFFER[likeness.differ] if likeness else UNANSWERED,
            USEFULNESS: _cost_in_words(cost) if cost else UNANSWERED,
            PRIVACY: LEAK[privacy.leaks] if privacy else UNANSWERED,
        }
        return {ASKED[name]: words for name, words in said.items()}

    @property
    def verdict(self) -> str:
        """The answers to the three questions."""
        return " ".join(
            f"{ASKED[name]} {answer.verdict}"
            for name, answer in self.parts.items()
            if answer is not None
        )

    @property
    def passed(self) -> bool | None:
        """Whether the limits set for privacy are kept; None if none is set or rows cannot tell."""
        return None if self.privacy is None else self.privacy.passed

    @property
    def about_tables(self) -> tuple[str, ...]:
        """What is odd about the tables: few rows, columns without values, unknown values."""
        counts = {"training": self.n_train}
        if self.n_holdout is not None:
            counts["held-out"] = self.n_holdout
        empty = (
            f"Column {column!r} has no value in the {table} table." for column, table in self.empty
        )
        same = self.repeated
        repeat = (
            (f"{same}.",) if same is not None and same.n_equal > REPEAT * same.n_holdout else ()
        )
        return (*few_rows(counts), *repeat, *empty, *self.unknown)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not answered, and what limits each answer."""
        missing = (f"{ASKED[name]} Not answered: {why}." for name, why in self.missing.items())
        parts = (note for answer in self.parts.values() if answer for note in answer.notes)
        return tuple(dict.fromkeys((*missing, *parts, *self.about_tables)))

    @property
    def headings(self) -> tuple[Heading, ...]:
        """Each number to quote, by question, with its interval and what real rows get."""
        return HEADINGS

    def rows(self) -> list[Row]:
        """Return the numbers to quote, by question; each part has many more."""
        return [*self._alike(), *self._useful(), *self._secret()]

    def _alike(self) -> Iterator[Row]:
        likeness = self.likeness
        if likeness is None:
            return
        js, beside = likeness.divergence, likeness.divergence_reference
        if js is not None:
            rows = f"by {js.n_real:,} + {js.n_synthetic:,} rows"
            reals = (None,) * 3 if beside is None else (beside.js, beside.js_coarse, beside.kl)
            named = zip(DIVERGENCES, (js.js, js.js_coarse, js.kl), reals, strict=True)
            for name, value, real in named:
                yield _row(LIKENESS, f"{name}, {rows}", value, real)
        for name, found, reference in (
            ("Mean distance of single columns", likeness.margins, likeness.margins_reference),
            ("Mean change of pairs of columns", likeness.pairs, likeness.pairs_reference),
        ):
            headline = None if reference is None else reference.headline
            yield _row(LIKENESS, name, found.headline, headline)

    def _useful(self) -> Iterator[Row]:
        report = self.usefulness
        if report is not None:
            what = f"Cost for {report.target!r} of training on"
            yield _row(USEFULNESS, f"{what} synthetic rows", report.cost, None)
            yield _row(USEFULNESS, f"{what} real and synthetic rows", report.cost_augmented, None)

    def _secret(self) -> Iterator[Row]:
        if self.privacy is not None:
            for row in self.privacy.rows():
                yield {
                    "part": PRIVACY,
                    "question": ASKED[PRIVACY],
                    "measure": row["measure"],
                    **{key: row[key] for key in ("value", "low", "high")},
                    "real": row["others"],
                    "real_low": None,
                    "real_high": None,
                    "unit": row["unit"],
                }

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready (no NaN, no infinity)."""
        return {
            "verdict": self.verdict,
            "headlines": self.headlines,
            "answers": self.answers,
            "passed": self.passed,
            "rows": {
                "train": self.n_train,
                "synthetic": self.n_synthetic,
                "holdout": self.n_holdout,
            },
            "columns": list(self.columns),
            "left_out": dict(self.left_out),
            "numbers": self.rows(),
            **{name: answer and answer.to_dict() for name, answer in self.parts.items()},
            "missing": dict(self.missing),
            "notes": list(self.notes),
            "settings": dict(self.settings),
        }

    def _page(self) -> dict[str, Any]:
        parts = self.likeness, self.usefulness, self.privacy
        return self.pictures.of_page() | drawing.of_page(self.rows(), *parts)

    def _settings(self) -> dict[str, str]:
        options = {"seed": self.settings["random_state"], "target": self.settings["target"]}
        return {name: str(value) for name, value in options.items() if value is not None}


def _cost_in_words(cost: Estimate) -> str:
    if cost.low > 0:
        return "Learning from them costs"
    return "Learning from them gains" if cost.high < 0 else "No cost shown"


def _row(name: str, measure: str, found: Estimate, real: Estimate | None) -> Row:
    return {
        "part": name,
        "question": ASKED[name],
        "measure": measure,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "real": None if real is None else real.value,
        "real_low": None if real is None else real.low,
        "real_high": None if real is None else real.high,
        "unit": found.unit,
    }


@checked(
    target=or_none(TEXT),
    schema=or_none(InstanceOf(Schema)),
    questions=or_none(InstanceOf(Questions)),
    random_state=SEED,
    n_jobs=N_JOBS,
    progress=or_none(FUNCTION),
)
def evaluate(  # noqa: PLR0913 - three tables, and what a person says of them
    train: Frame,
    synthetic: Frame,
    holdout: Frame | None = None,
    *,
    target: str | None = None,
    schema: Schema | None = None,
    questions: Questions | None = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Ask three questions of synthetic rows: are they alike, are they useful, and whose secrets?

    ``train`` trained the generator; ``holdout`` trained nothing, and without it much cannot be
    said: usefulness and membership are not answered, and likeness is likeness to the training
    rows. All are frames or Tables. The schema is detected on ``train`` unless one is passed; the
    other tables must have its columns. ``target`` is the column to predict, for usefulness.
    ``questions`` None: ``Questions()``. ``n_jobs`` None: that of each part. Each finished step
    calls ``progress(done, total, message)``. The same ``random_state`` gives the same numbers for
    any ``n_jobs``.

    Raises LeakageError, SchemaError, or TooFewRowsError if a table has fewer than 10 rows. Cost:
    that of :class:`Likeness`, :class:`Usefulness` and :class:`Privacy`.
    """
    asked = given_or_default(questions, Questions)
    full = Table.from_frame(train).schema if schema is None else schema
    if target is not None:
        target = full.to_predict(
            target
        ).name  # an unknown name raises SchemaError, with the nearest one
    if asked.privacy is not None:
        asked.privacy.check_columns(full)
    tables = conform_three(train, synthetic, holdout, full)
    real, fake, held_out = tables
    overlap = None
    if held_out is not None:
        overlap = check_leakage(real, held_out)
        check_unseen(real, fake, held_out)
    seeds = seed_sequence(random_state)
    found: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name, ask in _asking(tables, target, asked, n_jobs).items():
        starts = list(STARTS.values())
        at = PARTS.index(name)
        step = part(progress, starts[at], starts[at + 1], TOTAL, name)
        try:
            found[name] = None if isinstance(ask, str) else ask(child(seeds, STREAMS[name]), step)
        except TabseedError as error:
            if name == LIKENESS or (name == PRIVACY and not isinstance(error, TooFewRowsError)):
                raise
            found[name], ask = None, str(error)
        if isinstance(ask, str):
            missing[name] = ask
    (progress or silent)(TOTAL, TOTAL, "done")
    others = {"synthetic": fake} | ({} if held_out is None else {"holdout": held_out})
    return Evaluation(
        n_train=len(real),
        n_synthetic=len(fake),
        n_holdout=None if held_out is None else len(held_out),
        columns=tuple(real.schema.names),
        left_out={c.name: c.reason for c in full.left_out},
        missing=missing,
        pictures=Pictures.of(tables, found[LIKENESS], child(seeds, STREAMS["pictures"])),
        empty=_empty(others),
        settings=_settings(random_state, target),
        unknown=tuple(unknown_values(others)),
        repeated=overlap,
        **found,
    )


Ask = Callable[[Any, Progress], Finding]


def _asking(
    tables: tuple[Table, Table, Table | None],
    target: str | None,
    asked: Questions,
    n_jobs: int | None,
) -> Mapping[str, Ask | str]:
    """Return by part the function that asks it, or why it is not asked."""
    real, fake, held_out = tables

    def configured(estimator: Any) -> Any:
        """Return the estimator, with the jobs of the evaluation if it has any of its own."""
        own = clone(estimator)
        has_jobs = n_jobs is not None and "n_jobs" in own.get_params(deep=False)
        return own.set_params(n_jobs=n_jobs) if has_jobs else own

    asking: dict[str, Ask | str] = dict.fromkeys(PARTS, NOT_ASKED)
    if (likeness := asked.likeness) is not None:
        asking[LIKENESS] = lambda stream, step: configured(likeness).evaluate(
            *tables, random_state=stream, progress=step
        )
    if (usefulness := asked.usefulness) is not None:
        asking[USEFULNESS] = NO_HOLDOUT if target is not None else NO_TARGET
        if target is not None and held_out is not None:
            asking[USEFULNESS] = lambda stream, step: configured(usefulness).evaluate(
                real, fake, held_out, target, random_state=stream, progress=step
            )
    if (privacy := asked.privacy) is not None:
        asking[PRIVACY] = lambda stream, step: configured(privacy).evaluate(
            *tables,
            random_state=stream,
            refit=asked.refit,
            likelihood=asked.likelihood,
            learn=asked.learn,
            holds=asked.holds,
            progress=step,
        )
    return asking


def _empty(tables: dict[str, Table]) -> tuple[tuple[str, str], ...]:
    """List the columns without a value, each with the name of its table."""
    columns = next(iter(tables.values())).schema.names
    return tuple(
        (column, name)
        for column in columns
        for name, table in tables.items()
        if table.to_arrow()[column].null_count == len(table)
    )


def _settings(random_state: RandomState, target: str | None) -> dict[str, Any]:
    seed = random_state if isinstance(random_state, int) else None
    releases = versions()
    return {
        "random_state": seed,
        "target": target,
        "python": releases.pop("python"),
        "versions": releases,
    }
