"""How ``synth`` and ``evaluate`` judge: set rows aside, evaluate, print the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tabseed.cli.console import Output
from tabseed.cli.options import read_like
from tabseed.cli.progress import progress_bar
from tabseed.cli.streams import Use, stream_for
from tabseed.errors import TabseedError, TooFewRowsError

if TYPE_CHECKING:
    from tabseed.evaluation.evaluation import Evaluation
    from tabseed.evaluation.questions import Questions
    from tabseed.table import Table
    from tabseed.table.schema import Schema

FAILED = 3  # the exit code of a limit that is not kept
HOLDOUT_SHARE = 0.2  # share of the rows set aside for --report unless the user gives another


def split_rows(
    table: Table, share: float, seed: int, stratify: str | None = None
) -> tuple[Table, Table]:
    """Split a table into two at random; TooFewRowsError if a part would be empty."""
    from tabseed.table.display import counted

    first, second = table.split(share, stratify=stratify, random_state=stream_for(Use.SPLIT, seed))
    if not len(first) or not len(second):
        raise TooFewRowsError(
            f"{counted(len(table), 'row')} cannot be split {share:g} to {1 - share:g}: one part "
            "would be empty; give another share or more rows"
        )
    return first, second


@dataclass(frozen=True)
class Judging:
    """Where the holdout rows come from; raises before learning what would fail after it."""

    report: Path | None
    holdout: Path | None
    share: float | None

    def __post_init__(self) -> None:
        for value, name in ((self.holdout, "--holdout"), (self.share, "--holdout-share")):
            if value is not None and self.report is None:
                raise TabseedError(f"{name} needs --report; name a report, or leave it out")
        if self.holdout is not None and self.share is not None:
            raise TabseedError("--holdout-share: --holdout gives the rows; leave one of them out")
        if self.share is not None and not 0 < self.share < 1:
            raise TabseedError(f"--holdout-share {self.share:g}: must lie between 0 and 1")

    def set_aside(
        self, out: Output, table: Table, rows: int, encoding: str, seed: int
    ) -> tuple[Table, Table | None]:
        """Return the rows to learn from and, if there will be a report, those to judge with."""
        if self.report is None:
            return table, None
        if self.holdout is not None:
            from tabseed.metrics import check_leakage

            train, held_out = table, read_like(self.holdout, table, "holdout", encoding)
            check_leakage(train.select(held_out.schema), held_out)
        else:
            train, held_out = split_rows(table, 1 - (self.share or HOLDOUT_SHARE), seed)
            out.say("set aside", f"{len(held_out)} rows to judge with, before learning")
        check_enough((len(train), rows, len(held_out)))
        return train, held_out


def check_enough(
    sizes: tuple[int, int, int],
    what: str = "--report",
    advice: str = "leave the report out or give more rows",
) -> None:
    """Raise TooFewRowsError before learning if judging would raise it afterwards.

    ``what`` needs the rows, and ``advice`` says what to do.
    """
    from tabseed.evaluation.likeness import MIN_ROWS

    for n, name in zip(
        sizes, ("row{} to learn from", "synthetic row{}", "holdout row{}"), strict=True
    ):
        if n < MIN_ROWS:
            raise TooFewRowsError(
                f"{n} {name.format('' if n == 1 else 's')} {'is' if n == 1 else 'are'} too few for "
                f"{what}, which needs {MIN_ROWS}; {advice}"
            )


@dataclass(frozen=True)
class Asked:
    """What a user asks of privacy, and the limits that make a command fail."""

    sensitive: Sequence[str] | None = None
    known: Sequence[str] | None = None
    max_auc: float | None = None
    max_disclosure: float | None = None

    def __post_init__(self) -> None:
        if self.known and not self.sensitive:
            raise TabseedError("--known needs --sensitive: what an attacker who knows it wants")
        if self.max_disclosure is not None and not self.sensitive:
            raise TabseedError("--max-disclosure needs --sensitive, the columns not to disclose")

    @property
    def of_privacy(self) -> bool:
        """Whether anything on privacy is asked."""
        return any(value is not None for value in self.privacy().values())

    def privacy(self) -> dict[str, Any]:
        """Return the parameters of the question of privacy, JSON-ready."""
        return {
            "sensitive": list(self.sensitive) if self.sensitive else None,
            "keys": list(self.known) if self.known else None,
            "max_auc": self.max_auc,
            "max_disclosure": self.max_disclosure,
        }

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return self.max_auc is not None or self.max_disclosure is not None

    def check_columns(self, schema: Schema) -> None:
        """Raise SchemaError, before any work, for columns that are not there or are left out."""
        if self.of_privacy:
            asked = self.questions().privacy
            assert asked is not None
            asked.check_columns(schema)

    def questions(self) -> Questions:
        """Return the questions of the evaluation."""
        from tabseed.evaluation.questions import Questions
        from tabseed.privacy.report import Privacy

        return Questions(privacy=Privacy(**self.privacy()))


def stop_if_failed(passed: bool | None) -> None:
    """End the command with exit code 3 if something is not as it must be, to stop a pipeline."""
    if passed is False:
        raise typer.Exit(FAILED)


def say_answers(out: Output, answer: Evaluation) -> None:
    """Print each question with its answer, first in a few words."""
    for question, text in answer.answers.items():
        head = answer.headlines[question]
        out.say(question, text if text.startswith(head) else f"{head}. {text}")


def judge(
    out: Output,
    tables: tuple[Table, Table, Table | None],
    target: str | None,
    seed: int,
    questions: Questions | None = None,
) -> Evaluation:
    """Evaluate training, synthetic and holdout rows, and print the answer."""
    from tabseed.evaluation.evaluation import evaluate

    asked = Asked().questions() if questions is None else questions
    with progress_bar("judging") as progress:
        answer = evaluate(
            *tables,
            target=target,
            questions=asked,
            random_state=seed,
            n_jobs=-1,
            progress=progress,
        )
    out.result["evaluation"] = answer.to_dict()
    say_answers(out, answer)
    out.answer(answer)
    for note in answer.about_tables:
        out.say("note", note)
    return answer
