"""What an evaluation asks, and what the attacks on privacy may know of the generator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import clone

from tabseed.archive import Holds
from tabseed.errors import SchemaError
from tabseed.evaluation.likeness import Likeness
from tabseed.parameters import (
    FUNCTION,
    InstanceOf,
    Parameters,
    check_parameters,
    or_none,
)
from tabseed.privacy.left_out import Learn
from tabseed.privacy.likelihood import Likelihood
from tabseed.privacy.report import Privacy
from tabseed.privacy.shadow import Refit
from tabseed.table import Table
from tabseed.table.display import counted
from tabseed.utility.usefulness import Usefulness

if TYPE_CHECKING:
    from tabseed.generators.base import Generator


# what is asked by default; an evaluation asks copies of them. No limits: whoever has some sets them
LIKENESS, USEFULNESS = Likeness(), Usefulness()
PRIVACY = Privacy(max_auc=None, max_disclosure=None)


@dataclass(frozen=True)
class Questions:
    """What an evaluation asks, and how; a part that is None is not asked.

    ``refit`` (table, SeedSequence -> table) learns the user's generator anew and draws,
    ``likelihood`` (rows -> log densities) knows the fitted generator's law: both make attacks on
    privacy stronger. ``learn`` (table, SeedSequence -> such a likelihood) learns the generator anew
    without exposed rows, one by one. ``holds``: what the generator's model file holds.
    """

    likeness: Likeness | None = LIKENESS
    usefulness: Usefulness | None = USEFULNESS
    privacy: Privacy | None = PRIVACY
    refit: Refit | None = None
    likelihood: Likelihood | None = None
    learn: Learn | None = None
    holds: Holds | None = None

    parameters: ClassVar[Parameters] = {
        "likeness": or_none(InstanceOf(Likeness)),
        "usefulness": or_none(InstanceOf(Usefulness)),
        "privacy": or_none(InstanceOf(Privacy)),
        "refit": or_none(FUNCTION),
        "likelihood": or_none(FUNCTION),
        "learn": or_none(FUNCTION),
        "holds": or_none(InstanceOf(Holds, "what a generator holds, or None")),
    }

    def __post_init__(self) -> None:
        check_parameters(self)

    def about(self, model: Generator, train: Table, n_rows: int, *, shadows: bool = False) -> Self:
        """Return the questions with what is known of a fitted generator that drew ``n_rows``.

        SchemaError if it did not learn the columns of ``train``, or another number of rows.

        What its file holds, its likelihood if it has an exact one, and, with ``shadows``, how to
        learn it anew, which takes as many fits as there are shadow tables, and with a likelihood
        one more for each exposed row that is left out.
        """
        _check_learned(model, train)
        exact: Any = model if model.knows_likelihood else None  # not every class has the method

        def again(table: Table, stream: np.random.SeedSequence) -> Any:
            fresh: Generator = clone(model).set_params(random_state=stream)
            return fresh.fit(table, target=model.target_)

        def refit(table: Table, stream: np.random.SeedSequence) -> Table:
            drawn: Table = again(table, stream).draw(n_rows)
            return drawn

        def learn(table: Table, stream: np.random.SeedSequence) -> Likelihood:
            likelihood: Likelihood = again(table, stream).log_likelihood
            return likelihood

        return replace(
            self,
            likelihood=None if exact is None else exact.log_likelihood,
            learn=None if exact is None or not shadows else learn,
            holds=model.holds,
            refit=refit if shadows else None,
        )


def _check_learned(model: Generator, train: Table) -> None:
    """Raise SchemaError if the model cannot have learned these rows: attacks would mean nothing."""
    learned, names = set(model.schema_.modelled.names), set(train.schema.modelled.names)
    if learned != names:
        odd = min(learned ^ names, key=lambda name: (name not in learned, name))
        where = "the training table lacks" if odd in learned else "it never saw"
        if odd in train.schema.names and odd in learned:
            where = "is left out of the training table; set its kind as it was then (--kind)"
        raise SchemaError(f"the model learned another table: column {odd!r} {where}")
    if model.counts_rows and model.n_rows_ != len(train):
        raise SchemaError(
            f"the model learned {counted(model.n_rows_, 'row')} and the training table has "
            f"{len(train)}: attacks would take some for what they are not; name the rows that the "
            "model learned (tabseed split makes files of them)"
        )
