"""PrivateMarginals: rows from noisy counts, with a guarantee of differential privacy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib.metadata import version
from math import prod
from typing import Any, ClassVar, Self

import numpy as np

from tabseed._progress import Progress
from tabseed._random import RandomState, one_thread, seed_sequence
from tabseed.archive import Arrays, Holds, stored
from tabseed.coding.encode import Layout, TableEncoder
from tabseed.errors import TabseedError, TooFewRowsError
from tabseed.generators.base import Aids, Generator, Watch
from tabseed.generators.private.budget import (
    Carries,
    Spent,
    epsilon_of,
    opendp,
    rho_for,
)
from tabseed.generators.private.mechanism import AIM, COUNT, METHODS, Plan, release
from tabseed.generators.private.public import (
    DECLARED,
    PublicColumn,
    public_columns,
    public_encoder,
    read_public,
)
from tabseed.generators.private.tree import MAX_CELLS, JunctionTree
from tabseed.parameters import (
    FLAG,
    SEED,
    InstanceOf,
    OneOf,
    Parameters,
    Real,
    Whole,
    check_parameters,
    or_none,
)
from tabseed.table import Frame, Table
from tabseed.table.display import counted
from tabseed.table.schema import NUMERIC, Column, Schema


class PrivateMarginals(Generator):
    """Differentially private rows, by OpenDP's AIM or MST: noisy counts of few columns at once.

    :meth:`fit` is (epsilon, delta)-differentially private for adding or removing one row: whoever
    sees the model file, or any number of rows drawn from it, can hardly tell whether a row was in
    the table. That holds for tables whose cells can be read as ``public`` says, each by itself, if
    the names of columns and the form of the file (or the kind of frame) are public too, and if
    ``public`` was written without looking at these rows, or holds nothing that they alone tell.
    All else costs part of the budget, also the number of rows: ``n_rows_`` is a noisy one,
    ``ledger_`` says what was spent on what.

    ``public``, a :class:`~tabseed.table.schema.Schema`, declares kinds, all ``categories``, the
    ``range`` of each number or date, and whether cells may be ``missing``. A value that it does not
    declare is counted as missing, and never drawn; a number beyond its range moves to the end.
    The range is cut into ``bins`` of one width, or at the points between its ends; inside a bin
    numbers are drawn uniformly on a grid (whole numbers; days or seconds; for real numbers the
    power of ten below which the range has 10,000 points), never from the rows.

    The noise comes from a secure source of OpenDP that no seed reaches, or it would be no secret:
    fitting twice gives other models. ``random_state`` decides what is drawn from a model. Each fit
    spends its whole epsilon: two models of the same rows together have twice the rho.

    Before it runs, it spends 2 % of rho on the number of rows and raises TooFewRowsError, with what
    so many can carry, if there are fewer than 50 for each encoded column (a level, a number, a
    possibly missing cell) and noise is expected to move more than half of the rows in the counts of
    an average pair of columns; with ``anyway`` it neither asks nor refuses.

    Parameters
    ----------
    epsilon, delta : float
        The guarantee; delta is the probability that it may fail, well below 1 / n.
    method : "aim" or "mst"
        AIM measures, one after the other, the sets of up to ``degree`` columns that its model gets
        most wrong, at most two for each column, in a model of at most 2 MB (the paper: 16, larger
        ones: hours); MST the pairs of a tree that joins all columns, which is several times as
        fast, and not as near.
    degree : int
        Most columns counted at once, by AIM.

    Cost: a minute for 15 to 22 columns by MST, several by AIM, most of it in OpenDP's exact search
    for each scale of noise, and in compiling; the number of rows hardly counts.

    References: McKenna, Mullins, Sheldon and Miklau, AIM, arXiv 2201.12677; McKenna, Miklau and
    Sheldon, MST, arXiv 2108.04978; both as in OpenDP 0.16.
    """

    counts_rows: ClassVar[bool] = False  # their number is released with noise
    holds: ClassVar[Holds] = Holds(
        False, "the public schema and noisy counts, released with the privacy that it states"
    )
    references: ClassVar[tuple[str, ...]] = ("arXiv:2201.12677", "arXiv:2108.04978")
    parameters: ClassVar[Parameters] = {
        "epsilon": Real(above=0, high=100),
        "delta": Real(above=0, below=0.5),
        "public": or_none(InstanceOf(Schema, "a Schema, from read_schema('s.json'), or None")),
        "method": OneOf(METHODS),
        "bins": Whole(1, 1_000),
        "degree": Whole(1, 4),
        "anyway": FLAG,
        "random_state": SEED,
    }

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        public: Schema | None = None,
        method: str = AIM,
        bins: int = 16,
        degree: int = 2,
        anyway: bool = False,
        random_state: RandomState = 0,
    ) -> None:
        self.epsilon = epsilon
        self.delta = delta
        self.public = public
        self.method = method
        self.bins = bins
        self.degree = degree
        self.anyway = anyway
        self.random_state = random_state

    rho_: float
    """The budget as rho of zero-concentrated differential privacy."""
    ledger_: list[Spent]
    """What rho was spent on; adds up to ``rho_``."""
    carries_: Carries
    """What so many rows can carry, by the noisy number of rows."""
    by_: str
    """The library that released the counts, and its version."""

    def fit(
        self,
        table: Frame,
        *,
        target: str | None = None,
        encoder: TableEncoder | None = None,
        progress: Progress | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        watch: Watch | None = None,
    ) -> Self:
        """Spend the budget on a frame or a Table; see the class.

        ``target_`` keeps the name ``target``; the law does not depend on it. SchemaError for what
        ``public`` does not declare and for cells that it cannot read, TooFewRowsError,
        MissingDependencyError without OpenDP, TabseedError for an ``encoder``, a ``checkpoint`` or
        a ``watch``, which would keep or show what no budget pays for. An error may depend on the
        rows: it is for the holder of the table, and not to be passed on.
        """
        check_parameters(self)
        for name, value in (("encoder", encoder), ("checkpoint", checkpoint), ("watch", watch)):
            if value is not None:
                raise TabseedError(f"{type(self).__name__}: a private fit takes no {name}")
        columns = self.check_public()
        rules = self.public.rules if self.public is not None else ()
        if isinstance(table, Table):
            rules += table.schema.rules
        if rules:
            raise TabseedError(
                f"{type(self).__name__}: rules such as {rules[0]!r} are not kept by a private fit; "
                "leave them out, and draw more rows of which you keep those that hold them"
            )
        if target is not None:
            target = Schema(tuple(c.column for c in columns))[target].name
        opendp()  # before any work: it may be missing
        table = read_public(Table.from_frame(table, self.public), columns)
        encoder = public_encoder(table, columns)
        if progress is not None:
            progress(0, 1, f"{self.method.upper()} of OpenDP")
        rho = rho_for(self.epsilon, self.delta)
        sizes, width = [c.size + 1 for c in columns], sum(c.width for c in columns)

        def expected(rows: float) -> Carries:
            return Carries.expected(rows, rho, sizes, width)

        with one_thread():
            found = release(
                [c.codes(table) for c in columns],
                [c.size for c in columns],
                Plan(rho, self.method, min(self.degree, len(columns))),
                None if self.anyway else lambda rows: self._refuse_noise(expected(rows), rho),
            )
        self.schema_, self.encoder_, self.target_ = encoder.schema_, encoder, target
        self._stream = seed_sequence(self.random_state)
        self.n_rows_ = round(found.total)
        self.rho_, self.ledger_, self.carries_ = rho, found.ledger, expected(found.total)
        self.by_ = f"OpenDP {version('opendp')}"
        self._know_law(found.cliques, found.counts)
        return self

    def check_public(self) -> list[PublicColumn]:
        """Return the columns of ``public``; SchemaError, with what to do, for what it lacks."""
        return public_columns(self.public, self.bins)

    def _refuse_noise(self, carries: Carries, rho: float) -> None:
        if carries.noise:
            cost = epsilon_of(COUNT * rho, self.delta)
            raise TooFewRowsError(
                f"{carries}: likely noise; take fewer columns, levels or bins, a larger epsilon, "
                "or go on all the same with --anyway, in Python anyway=True (that the rows were "
                f"counted to say so cost epsilon {cost:.2g}, which adds to that of another run)"
            )

    def _know_law(self, cliques: list[tuple[int, ...]], counts: list[np.ndarray]) -> None:
        self._columns = self.check_public()
        possible = [
            np.append(np.ones(c.size, bool), c.column.missing is not False) for c in self._columns
        ]
        self.tree_ = JunctionTree(cliques, counts, possible)

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        raise TabseedError(f"{type(self).__name__} learns tables only, not rows inside another one")

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        codes = self.tree_.draw(n, rng)
        values = [c.draw(code, rng) for c, code in zip(self._columns, codes, strict=True)]
        return self.encoder_.layout_.from_values(values)

    # -- files

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        state = {
            "cliques": [list(clique) for clique in self.tree_.cliques],
            "rho": self.rho_,
            "ledger": [asdict(line) for line in self.ledger_],
            "carries": asdict(self.carries_),
            "by": self.by_,
        }
        return state, {f"counts{i}": c.ravel() for i, c in enumerate(self.tree_.counts)}

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        self.rho_, self.by_ = float(state["rho"]), str(state["by"])
        self.ledger_ = [Spent(str(e["what"]), float(e["rho"])) for e in state["ledger"]]
        known = state["carries"]
        shares = (float(known[name]) for name in ("of_column", "of_pair"))
        self.carries_ = Carries(float(known["rows"]), int(known["width"]), *shares)
        sizes = [c.size + 1 for c in self.check_public()]
        cliques = [tuple(map(int, clique)) for clique in state["cliques"]]
        cells = [prod(sizes[j] for j in clique) for clique in cliques]
        if sum(cells) > MAX_CELLS:
            raise ValueError("too many counts")
        counts = [stored(arrays, f"counts{i}", "f", (k,)) for i, k in enumerate(cells)]
        self._know_law(cliques, counts)
        self.tree_.check()

    def _stored_parameters(self) -> dict[str, Any]:
        """Return the parameters for a file, without what the schema says of how it was found."""
        plain = super()._stored_parameters()
        columns = [replace(c, reason=DECLARED) for c in self.public or ()]
        return {**plain, "public": [asdict(column) for column in columns]}

    @classmethod
    def _parameters(cls, plain: dict[str, Any]) -> dict[str, Any]:
        columns = [
            Column(**{**c, "categories": tuple(c["categories"]), "range": tuple(c["range"])})
            for c in plain["public"]
        ]
        return {**plain, "public": Schema(tuple(columns))}

    # -- words

    def summary(self) -> list[str]:
        """Return the guarantee, what was spent on what, and what was declared public."""
        spent = ", ".join(f"{line.rho / self.rho_:.1%} {line.what}" for line in self.ledger_)
        return [
            f"differentially private: epsilon {self.epsilon:g}, delta {self.delta:g}, for adding "
            f"or removing one row; by {self.method.upper()} of {self.by_}",
            f"spent of rho {self.rho_:.4g} (zero-concentrated, which adds up): {spent}",
            *self._declared(),
            f"can carry: {self.carries_}",
            *super().summary(),
        ]

    def _declared(self) -> list[str]:
        """Return what is taken as public: no budget paid for it."""
        columns = list(self.encoder_.schema_)
        numbers = sum(c.kind in NUMERIC for c in columns)
        known: Mapping[str, int] = {
            "no missing cells": sum(c.missing is False for c in columns),
            "missing cells possible": sum(c.missing is True for c in columns),
        }
        said = [f"{text} in {k}" for text, k in known.items() if k]
        return [
            "declared public, not paid for: names, types and kinds of "
            f"{counted(len(columns), 'column')}, all levels of {len(columns) - numbers}, the range "
            f"of {numbers}" + "".join(f", {text}" for text in said)
        ]
