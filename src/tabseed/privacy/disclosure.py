"""What the synthetic rows tell about a person of whom some columns are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from tabseed._progress import Progress, silent
from tabseed._random import RandomState, one_thread, seed_sequence, seed_text
from tabseed.errors import SchemaError, TabseedError, TooFewRowsError
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.shares import detectable, difference, more_often
from tabseed.estimates.splits import holm
from tabseed.estimates.words import listed
from tabseed.metrics.leakage import (
    check_leakage,
    conform,
    count_equal,
    row_keys,
    unknown_values,
)
from tabseed.parameters import (
    FUNCTION,
    MAPPING,
    SEED,
    TEXT,
    Each,
    Parameters,
    Whole,
    as_numbers,
    check_parameters,
    checked,
    or_none,
)
from tabseed.privacy.disclosed import LEVEL, Attack, DisclosureResult
from tabseed.privacy.inference import Neighbours, Outcome, exact, singled_out
from tabseed.privacy.keys import Disclosive, Levels, Uniques, combined, information
from tabseed.table import Frame, Table
from tabseed.table.schema import NUMERIC, Schema

KEYS, NEAR, DONE = 0, 10, 100  # per cent of the time


class AttributeDisclosure(BaseEstimator):
    """What an attacker who knows some columns of a person learns of sensitive ones.

    Four attacks, each a guess from the synthetic rows alone: that a person whom the keys single out
    among all real rows is one of the training rows, since synthetic rows have these keys
    (``unique``; replicated uniques are reported too); the one level of all synthetic rows with the
    same keys (``exact``: disclosive in synthetic, correct in original, DiSCO, of Raab, Nowok and
    Dibben); the level of the nearest synthetic row, for all people (``nearest``), and for those to
    whom it is as near as to the nearest tenth (``closest``), since an attack that speaks of few may
    be right about these (Francis and Wagner).

    Each is run on training rows and on held-out ones. No outcome depends on which of the real rows
    trained the generator, so if nothing leaks, these are any of them: the p-value of Fisher's test
    is exact, and Holm's correction covers all attacks. What is told right about both is knowledge
    of the population, not a breach; so the measure of disclosure is the difference, with its
    interval, and never a ratio to the room that is left. Beside it stands what a forest that
    learned from the other real rows says of the same people, and what shuffled cells would give.

    Parameters
    ----------
    sensitive : list of text
        The columns that an attacker wants to know.
    keys : list of text or None
        The columns that an attacker knows. None: for the attacks that ask for exact agreement, the
        ``max_keys`` columns that tell most of the sensitive ones in the synthetic rows (mutual
        information); for the others, all that are not sensitive.
    max_keys : int
        How many keys are chosen.
    bins : int
        Numbers agree if they lie in the same of so many parts of the real rows, equally filled.
    cuts : dict or None
        By column, the numbers where the parts begin instead.
    max_rows : int
        Rows of each real table that the attacks by likeness read; others are left out at random.

    Missing is a level of its own. The comparison is exact given the kinds of columns, which come
    from the training rows unless a Table is passed. Cost: one sort of all rows by column; likeness
    compares up to 2 ``max_rows`` real with 10,000 synthetic rows; a forest for each sensitive
    column: 3 s for 300 + 200 + 10,000 rows of 15 columns, two of them sensitive.

    References: arXiv 2409.04257 (keys, uniques, DiSCO, large denominators), 2507.01710 (few
    people, and the baseline by the best model of other rows).
    """

    references: ClassVar[tuple[str, ...]] = ("arXiv:2409.04257", "arXiv:2507.01710")
    min_rows: ClassVar[int] = 10
    parameters: ClassVar[Parameters] = {
        "sensitive": Each(TEXT),
        "keys": or_none(Each(TEXT)),
        "max_keys": Whole(1),
        "bins": Whole(2, 100),
        "cuts": or_none(MAPPING),
        "max_rows": Whole(10),
    }

    def __init__(
        self,
        sensitive: Sequence[str],
        keys: Sequence[str] | None = None,
        max_keys: int = 5,
        bins: int = 10,
        cuts: Mapping[str, Sequence[float]] | None = None,
        max_rows: int = 2_000,
    ) -> None:
        self.sensitive = sensitive
        self.keys = keys
        self.max_keys = max_keys
        self.bins = bins
        self.cuts = cuts
        self.max_rows = max_rows

    @checked(random_state=SEED, progress=or_none(FUNCTION))
    def evaluate(
        self,
        train: Frame,
        synthetic: Frame,
        holdout: Frame | None = None,
        *,
        random_state: RandomState = 0,
        progress: Progress | None = None,
    ) -> DisclosureResult:
        """Attack the rows of ``train``, which trained the generator, and of ``holdout``.

        ``holdout`` trained nothing; without it no excess is known. All are frames or Tables; the
        schema is that of ``train``, or detected on it. ``random_state`` draws the rows that the
        attacks by likeness read, and seeds the forest. Raises SchemaError for columns that there
        are not, TooFewRowsError below 10 rows, LeakageError where the holdout repeats ``train``.
        """
        check_parameters(self)
        stream, report = seed_sequence(random_state), progress or silent
        real, other, fake = self._tables(train, synthetic, holdout)
        tables = (real, other, fake)
        report(KEYS, DONE, "keys")
        with one_thread():
            sensitive, keys, known = self._columns(real.schema, tables)
            combinations = combined([self._levels(tables, name) for name in keys])
            report(NEAR, DONE, "nearest rows")
            neighbours = Neighbours.of(
                [table.select(_schema(real, known)) for table in tables],
                sensitive,
                self.max_rows,
                stream,
            )
            every = np.arange(len(real) + len(other))
            found: list[tuple[str, np.ndarray, Outcome, np.ndarray | None]] = [
                ("", every, singled_out(combinations), None)
            ]
            columns = {}
            for index, levels in enumerate(sensitive):
                name = levels.column.name
                by_keys = exact(levels, combinations)
                true = np.concatenate(levels.codes[:-1])
                population = np.full(len(every), np.nan)
                population[neighbours.rows] = neighbours.population[index] == true[neighbours.rows]
                found.append((name, every, by_keys, population))
                for outcome in neighbours.outcomes(index, levels):
                    found.append((name, neighbours.rows, outcome, population))
                columns[name] = Disclosive.of(levels, combinations, by_keys.right[: len(real)])
        report(DONE, DONE, "done")
        return DisclosureResult(
            sensitive=tuple(columns),
            keys=keys,
            known=known,
            attacks=_compared([_attack(len(real), *one) for one in found]),
            uniques=Uniques.of(combinations[0], combinations[-1]),
            columns=columns,
            key_copies=count_equal(
                *row_keys([t.select(_schema(real, keys)) for t in (real, fake)])
            )[0],
            n_train=len(real),
            n_synthetic=len(fake),
            n_holdout=len(other),
            settings={"seed": seed_text(stream), "bins": str(self.bins)},
            unknown=tuple(unknown_values({"synthetic": fake, "holdout": other})),
        )

    def _tables(
        self, train: Frame, synthetic: Frame, holdout: Frame | None
    ) -> tuple[Table, Table, Table]:
        """Return training, other and synthetic rows with one schema; no others without holdout."""
        schema = Table.from_frame(train).schema.modelled
        real, fake = conform(train, schema, "train"), conform(synthetic, schema, "synthetic")
        other = real.take([]) if holdout is None else conform(holdout, real.schema, "holdout")
        for name, table in (("train", real), ("synthetic", fake), ("holdout", other)):
            if len(table) < self.min_rows and not (name == "holdout" and holdout is None):
                raise TooFewRowsError(
                    f"{type(self).__name__} needs at least {self.min_rows} {name} rows, "
                    f"got {len(table)}"
                )
        if holdout is not None:
            check_leakage(real, other)
        return real, other, fake

    def check_columns(self, schema: Schema) -> tuple[tuple[str, ...], ...]:
        """Return the names of the sensitive columns, of the keys, and of all columns known.

        SchemaError for names that the schema lacks, or that do not go together.
        """
        names = tuple(schema[name].name for name in self.sensitive)
        known = tuple(
            name for name in (schema.names if self.keys is None else self.keys) if name not in names
        )
        keys = tuple(schema[name].name for name in self.keys or known)
        for told in (names, keys):
            if len(set(told)) < len(told):
                raise SchemaError(f"a column is named twice: {listed(list(map(repr, told)))}")
        if both := set(names) & set(keys):
            raise SchemaError(f"column {min(both)!r} is named as a key and as sensitive")
        if not keys:
            raise SchemaError("all columns are sensitive: none is left that an attacker may know")
        for name in self.cuts or {}:
            if schema[name].kind not in NUMERIC:
                raise SchemaError(f"cuts: column {name!r} holds no numbers")
        return names, keys, known

    def _columns(
        self, schema: Schema, tables: tuple[Table, Table, Table]
    ) -> tuple[list[Levels], tuple[str, ...], tuple[str, ...]]:
        """Return the sensitive columns, the names of the keys, and of all columns known."""
        names, keys, known = self.check_columns(schema)
        sensitive = [self._levels(tables, name) for name in names]
        if self.keys is None and len(keys) > self.max_keys:
            keys = self._most_telling(tables, keys, sensitive)
        return sensitive, keys, known

    def _most_telling(
        self, tables: tuple[Table, Table, Table], names: tuple[str, ...], sensitive: list[Levels]
    ) -> tuple[str, ...]:
        """Return the columns that tell most of the sensitive ones in the synthetic rows."""
        told = []
        for name in names:
            codes = self._levels(tables, name).codes[-1]
            told.append(sum(information(codes, column.codes[-1]) for column in sensitive))
        best = np.argsort(-np.array(told), kind="stable")[: self.max_keys]
        return tuple(names[j] for j in sorted(best))

    def _levels(self, tables: tuple[Table, Table, Table], name: str) -> Levels:
        given = {str(column): ends for column, ends in (self.cuts or {}).items()}
        cuts = None
        if name in given:
            cuts = np.atleast_1d(as_numbers(f"cuts[{name!r}]", given[name]))
            if cuts.ndim > 1 or not len(cuts) or not np.isfinite(cuts).all():
                raise TabseedError(f"cuts[{name!r}] is not a list of finite numbers")
        return Levels.of(tables, name, self.bins, cuts)


def _schema(table: Table, names: Sequence[str]) -> Schema:
    return Schema(tuple(table.schema[name] for name in names))


def _attack(
    n: int, column: str, rows: np.ndarray, outcome: Outcome, population: np.ndarray | None
) -> Attack:
    """Count the outcomes (N',) of the real rows ``rows``, the first n of which are training rows.

    ``population`` (N,): whether a model of other rows is right, NaN where there is none.
    """
    member = rows < n
    attacked, right = outcome.attacked, outcome.right
    told = None
    if population is not None:
        said = population[rows[member & attacked]]
        said = said[~np.isnan(said)]
        told = float(said.mean()) if len(said) else None
    return Attack(
        column,
        outcome.how,
        int(member.sum()),
        int((attacked & member).sum()),
        int((right & member).sum()),
        int((~member).sum()),
        int((attacked & ~member).sum()),
        int((right & ~member).sum()),
        told,
    )


def _compared(attacks: list[Attack]) -> tuple[Attack, ...]:
    """Return the attacks with the excess of each, tested together."""
    if not attacks[0].n_others:
        return tuple(attacks)
    k = len(attacks)
    counts = [(a.right, a.n, a.right_others, a.n_others) for a in attacks]
    adjusted = holm(np.array([more_often(*count) for count in counts]))
    found = []
    for attack, count, p in zip(attacks, counts, adjusted, strict=True):
        value = count[0] / count[1] - count[2] / count[3]
        excess = Estimate(value, *difference(*count), "share")
        least = detectable(count[2] / count[3], count[1], count[3], LEVEL / k)
        bounds = difference(*count, level=1 - LEVEL / k)
        found.append(replace(attack, excess=excess, bounds=bounds, p=float(p), detectable=least))
    return tuple(found)
