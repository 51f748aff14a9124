"""What all generators share: a table in, rows of the same kind out; files without pickle."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator

from tabseed._progress import Progress
from tabseed._random import RandomState, child, one_thread, seed_sequence
from tabseed.archive import (
    FORMAT,
    UNDECLARED,
    Arrays,
    Checkpoint,
    Holds,
    estimator_to_plain,
    stream_to_plain,
    write_archive,
)
from tabseed.coding.encode import Layout, TableEncoder
from tabseed.coding.fitted import Fitted
from tabseed.errors import SchemaError, TabseedError, TooFewRowsError, shortened
from tabseed.generators.conditions import Condition, Conditions
from tabseed.generators.margins import (
    REPEATED,
    Functions,
    Known,
    chosen,
    conflict,
    effective,
    far_away,
    read_known,
    repeated,
)
from tabseed.parameters import (
    FLAG,
    FUNCTION,
    MAPPING,
    PATH,
    TEXT,
    AnyOf,
    Having,
    Parameters,
    Whole,
    check,
    check_parameters,
    checked,
    or_none,
    searched,
)
from tabseed.space import Dimension
from tabseed.table import AS_FRAME, Frame, Table, table_to_learn
from tabseed.table.display import MAX_TEXT, as_html, counted
from tabseed.table.schema import Schema

Draw = Callable[[int, int], Table]  # a seed's index and n -> n rows as that seed draws them now
Watch = Callable[[int, np.ndarray, Draw], np.ndarray]  # step, seeds, draw -> a number for each seed

FIT, SAMPLE = 0, 1  # streams below that of a generator
MAX_MET = 20  # rows that meet the conditions for each that also keeps the rules, at most
MAX_REJECTED = 1_000  # rows drawn for each row that meets the conditions, before giving up
POOLED, MOST_POOLED = 10, 100  # rows drawn for each row with known margins, at first and at most
POOL = 5_000, 200_000  # but at least, and at first at most
BLOCK_ROWS = 20_000  # rows drawn at once
ROOM = 16 * 2**30  # bytes of memory, where the system does not tell them
MAX_LINES, MAX_LINE = 12, 200  # of the summary in a notebook: lines, and characters of each
MAPPING_OR_NONE = or_none(MAPPING)
CONDITIONS = or_none(AnyOf((MAPPING, TEXT)))


@dataclass(frozen=True)
class Aids:
    """What a long fit may use: a progress callback, a checkpoint file, a watch on drawn rows."""

    progress: Progress | None
    checkpoint: Checkpoint | None
    watch: Watch | None = None


class Generator(Fitted, BaseEstimator):
    """Learn the law of a table's rows, then draw new ones.

    A subclass implements ``_fit(x, layout, stream, aids)`` and ``_sample(n, rng)`` on encoded rows
    (:class:`~tabseed.coding.encode.TableEncoder`), and ``_state`` and ``_restore`` for files.
    Learned attributes: ``schema_`` (all columns), ``encoder_``, ``target_``, ``n_rows_``.
    """

    min_rows: ClassVar[int] = 1
    references: ClassVar[tuple[str, ...]] = ()
    parameters: ClassVar[Parameters] = {}
    """The values that each parameter of ``__init__`` may take; :meth:`fit` checks them."""
    search_space: ClassVar[Mapping[str, Dimension]] = {}
    """What a tuner may set, by parameter; each default lies inside. A class that does not set it
    gets what its ``parameters`` declare as ``search``."""
    holds: ClassVar[Holds] = UNDECLARED
    """What a model file holds of the rows that were learned: whoever gets the file gets this."""
    counts_rows: ClassVar[bool] = True
    """Whether ``n_rows_`` is the number of rows that it learned, not one with noise."""
    watchable: ClassVar[bool] = False
    """Whether a watch can see its rows as it learns."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "parameters" in vars(cls) and "search_space" not in vars(cls):
            cls.search_space = searched(cls.parameters)

    @property
    def knows_likelihood(self) -> bool:
        """Whether a ``log_likelihood(table)`` says how probable rows are under the fitted law."""
        return hasattr(type(self), "log_likelihood")

    random_state: RandomState
    schema_: Schema
    encoder_: TableEncoder
    target_: str | None
    n_rows_: int

    @checked(
        encoder=or_none(Having(("layout_",), "a fitted TableEncoder, or None")),
        progress=or_none(FUNCTION),
        checkpoint=or_none(PATH),
        watch=or_none(FUNCTION),
    )
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
        """Learn from a pandas, polars or pyarrow frame or a :class:`~tabseed.table.Table`.

        ``target`` names the column that will be predicted; ``target_`` keeps the name.
        ``encoder``, fitted on real rows, is used as it is. ``progress(done, total, message)`` is
        called as work is done. ``checkpoint`` names a file that keeps the state of a long
        training; an interrupted run continues from there and ends with the same bytes.
        ``watch(step, seeds, draw)`` decides instead of the validation loss when each seed of a
        network stops and which weights it keeps: after each validation it returns a number for
        each of ``seeds``, smaller is better; ``draw(seed, n)`` returns the rows that a seed draws
        now, as a Table. (:class:`~tabseed.augment.stopping.ImportanceKS` is one.)
        Warns (LeftOutWarning) of columns of a frame that are ids or free text and so not learned;
        ``schema_.left_out`` lists them.
        Raises TabseedError for a parameter out of range or for a watch on a generator that trains
        no network, SchemaError, and TooFewRowsError below ``min_rows`` rows.
        """
        check_parameters(self)
        table = table_to_learn(table)
        if target is not None:
            # an unknown name raises, with the nearest one; pandas has labels that are no text
            target = table.schema.to_predict(target).name
        self._check_enough(len(table))
        if watch is not None and not self.watchable:
            raise TabseedError(f"{type(self).__name__} trains no network whose rows can be watched")
        if encoder is None:
            encoder = self._encoder(table, target)
        x = encoder.transform(table)
        # the codes are those of the encoder's categories
        self.schema_ = table.schema.with_columns(encoder.table_schema_)
        self.target_, self.n_rows_ = target, len(table)
        self.encoder_ = encoder
        self._stream = seed_sequence(self.random_state)
        state = None
        if checkpoint is not None:
            state = Checkpoint(checkpoint, self._fingerprint(x))
        with one_thread():
            self._fit(x, encoder.layout_, child(self._stream, FIT), Aids(progress, state, watch))
        return self

    def sample(
        self,
        n: int,
        *,
        conditions: Mapping[Any, Condition] | str | None = None,
        known: Known | None = None,
        random_state: RandomState = None,
        as_frame: str | None = None,
    ) -> Any:
        """Draw n rows, the same ones at each call unless ``random_state`` is passed.

        Returns a frame of the kind that was passed to :meth:`fit`, with its dtypes, or of the
        kind ``as_frame``: "pandas", "polars" or "pyarrow". A model that a command saved learned a
        file: its rows are frames of pandas, or of pyarrow where pandas is not installed. Without
        ``random_state`` the generator's own seed decides. Conditions and errors are those of
        :meth:`draw`.
        """
        check(type(self).__name__, "as_frame", as_frame, AS_FRAME)
        table = self.draw(n, conditions=conditions, known=known, random_state=random_state)
        return table.to_frame(as_frame)

    def draw(
        self,
        n: int,
        *,
        conditions: Mapping[Any, Condition] | str | None = None,
        known: Known | None = None,
        random_state: RandomState = None,
    ) -> Table:
        """Draw n rows as a Table, without converting them to another kind of frame.

        ``conditions`` fixes columns: a value; None, NaN or ``pandas.NA`` for missing; a tuple
        ``(low, high)`` for a range of numbers, dates or ordered levels, ends included, None for an
        open end; a list, set or array of which any value may be. A date is a ``datetime``, a
        ``date``, ``np.datetime64`` or text, in ISO 8601 or as the column writes it; a day without
        a time is the whole day, and a time without a zone is in the column's zone. A level may
        be spelled otherwise (1 for "1") where no other level is meant. Conditions may also be
        text in the language of rules: "sex = female and (age >= 60 or smoker = yes)".

        ``known`` holds margins known from elsewhere, which the rows then have
        (:mod:`~tabseed.generators.margins`): ``{"sex": {"female": 0.51}, "age": {"mean": 43.2,
        "sd": 17}, "age >= 65 and smoker = yes": (0.03, 0.004)}``, where a pair is a number and its
        standard error. SchemaError names what cannot hold together.

        The law of the rows is the model's own given the conditions: each generator draws near them
        where its law lets it, and what does not meet them is drawn again; SchemaError if fewer than
        one row in 1,000 of those that were drawn near meets them.

        TabseedError for an ``n`` that is not a number of rows, or more than memory can hold;
        SchemaError for other conditions,
        and at once for those that no row can meet.
        """
        encoder = self.encoder_  # before anything else: it says if the generator is not fitted
        where = type(self).__name__
        check(where, "n", n, Whole(0))
        _check_room(int(n), encoder.layout_.width)
        check(where, "conditions", conditions, CONDITIONS)
        check(where, "known", known, MAPPING_OR_NONE)
        stream = child(self._stream, SAMPLE) if random_state is None else random_state
        rng = np.random.default_rng(seed_sequence(stream))
        with one_thread():
            asked = {} if conditions is None else conditions
            given = Conditions.read(asked, self.schema_, encoder)
            if known:
                return self._with_margins(n, known, given, rng)
            return self._draw(n, given, rng)

    def _with_margins(
        self, n: int, known: Known, conditions: Conditions, rng: np.random.Generator
    ) -> Table:
        """Draw rows in which what is known holds, by weights of more rows."""
        size = int(np.clip(POOLED * n, *POOL))
        pool = self._draw(size, conditions, rng)
        facts = read_known(known, pool)
        while True:
            functions = Functions.of(facts, pool)
            weights = functions.weights(self.n_rows_)
            if weights is None:
                raise SchemaError(f"known: {conflict(facts, functions)}")
            if repeated(weights, n) <= REPEATED:
                return pool.take(chosen(weights, functions.f, n, rng))
            if len(pool) >= max(MOST_POOLED * n, POOL[1]):
                raise SchemaError(f"known: {far_away(effective(weights), n, len(pool))}")
            pool = self._draw(4 * len(pool), conditions, rng)

    def _draw(self, n: int, conditions: Conditions, rng: np.random.Generator) -> Table:
        encoder = self.encoder_
        if (not len(conditions) and encoder.sure) or n == 0:
            return encoder.inverse_transform(self._encoded(n, rng))
        found = np.empty((0, encoder.layout_.width))
        n_drawn = n_met = 0
        while len(found) < n:
            size = int(np.clip(2 * (n - len(found)), 1_000, BLOCK_ROWS))
            near = bool(len(conditions))
            x = self._sample_near(size, conditions, rng) if near else self._sample(size, rng)
            n_drawn += size
            if near:
                x = _those(x, conditions.hold(encoder.inverse_transform(x)))
            n_met += len(x)
            kept = x if encoder.sure else _those(x, encoder.keep(x, found))
            kept = kept[: n - len(found)]
            found = np.concatenate([found, kept]) if len(found) else kept
            if len(found) < n and n_drawn > MAX_REJECTED * (len(found) + 10):
                if n_met <= MAX_MET * (len(found) + 10):
                    raise SchemaError(_too_few(len(found), n_drawn, conditions, encoder))
                blamed = encoder.blamed(x, found)
                raise SchemaError(_breaking(len(found), n_met, conditions, blamed))
        return encoder.inverse_transform(found)

    def _encoded(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw encoded rows (n, w), in blocks."""
        blocks = [self._sample(min(BLOCK_ROWS, n - done), rng) for done in range(0, n, BLOCK_ROWS)]
        return np.concatenate(blocks) if blocks else np.empty((0, self.encoder_.layout_.width))

    def _learn_as(
        self, other: Generator, x: np.ndarray, stream: np.random.SeedSequence, aids: Aids
    ) -> Self:
        """Learn encoded rows (n, w) of the table that ``other`` knows, by its encoder.

        For generators inside others. Raises TooFewRowsError below ``min_rows`` rows.
        """
        check_parameters(self)
        self._check_enough(len(x))
        self._know(other, len(x))
        self._stream = stream
        self._fit(x, other.encoder_.layout_, child(stream, FIT), aids)
        return self

    def _check_enough(self, n: int) -> None:
        if n < self.min_rows:
            raise TooFewRowsError(
                f"{type(self).__name__} needs at least {self.min_rows} rows, got {n}"
            )

    def _know(self, other: Generator, n_rows: int) -> None:
        """Take over what ``other`` knows of its table, of which ``n_rows`` rows are learned."""
        self.schema_, self.encoder_ = other.schema_, other.encoder_
        self.target_, self.n_rows_ = other.target_, n_rows

    # -- what a subclass implements

    def _encoder(self, table: Table, target: str | None) -> TableEncoder:
        """Return the encoder of a table."""
        del target
        return TableEncoder().fit(table)

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        """Learn from encoded rows (n, w)."""
        raise NotImplementedError

    def _log_probability(self, x: np.ndarray) -> np.ndarray:
        """Return the log-probability (n,) of encoded rows (n, w), where the law is known."""
        raise NotImplementedError

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw encoded rows (n, w)."""
        raise NotImplementedError

    def _sample_near(self, n: int, conditions: Conditions, rng: np.random.Generator) -> np.ndarray:
        """Draw encoded rows (n, w); the caller keeps those that meet the conditions.

        A generator may draw them given any event that includes the conditions: the rows that are
        kept then have the same law, and fewer are rejected.
        """
        del conditions
        return self._sample(n, rng)

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        """Return what was learned: a dict ready for JSON, and arrays."""
        raise NotImplementedError

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        """Restore what :meth:`_state` returned."""
        raise NotImplementedError

    @classmethod
    def _parameters(cls, plain: dict[str, Any]) -> dict[str, Any]:
        """Turn parameters in the form that JSON stores into what ``__init__`` takes."""
        return plain

    def summary(self) -> list[str]:
        """Return a few lines that say what was learned, and what a model file holds of it."""
        pairs = self.encoder_.dependencies_
        lines = [f"{name!r} follows {leader!r} in every row" for name, leader in pairs]
        rules = [f"every row keeps the rule {rule}" for rule in self.encoder_.construction_.kept]
        return [*lines, *rules, str(self.holds)]

    # -- in a notebook

    def _repr_html_(self) -> str:
        headline, notes = f"{type(self).__name__}, not fitted", []
        if hasattr(self, "encoder_"):
            headline = (
                f"{type(self).__name__}, fitted to {counted(self.n_rows_, 'row')} and "
                f"{counted(len(self.encoder_.schema_), 'column')}"
            )
            notes = [shortened(line, MAX_LINE) for line in self.summary()[:MAX_LINES]]
        parameters = self.get_params(deep=False).items()
        lines = [[name, shortened(repr(value), MAX_TEXT)] for name, value in parameters]
        return as_html(headline, ("parameter", "value"), lines, notes)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        # notebooks prefer this one, which scikit-learn would define
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    # -- files

    @checked(path=PATH, force=FLAG)
    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write a model file that :func:`load` reads.

        ``holds``, :meth:`summary` and ``tabseed info`` say what it holds of the training rows, and
        so does the file: some generators must keep every row.
        """
        encoder, encoder_arrays = self.encoder_.to_state()
        state, arrays = self._state()
        config = {
            "format": FORMAT,
            "generator": type(self).__name__,
            "parameters": self._stored_parameters(),
            "target": self.target_,
            "n_rows": self.n_rows_,
            "holds": self.holds.to_dict(),
            "stream": stream_to_plain(self._stream),
            "state": state,
            "encoder": encoder,
            "versions": {name: version(name) for name in ("tabseed", "numpy", "scikit-learn")},
        }
        all_arrays = {f"model.{k}": v for k, v in arrays.items()}
        all_arrays |= {f"encoder.{k}": v for k, v in encoder_arrays.items()}
        documents = {"config": config, "schema": self.schema_.to_dict()}
        write_archive(path, documents, all_arrays, force=force)

    def _stored_parameters(self) -> dict[str, Any]:
        """Return the parameters in the form that a file stores."""
        plain: dict[str, Any] = estimator_to_plain(self)["parameters"]
        return plain

    def _fingerprint(self, x: np.ndarray) -> str:
        """Return a hash of settings and data, so that no checkpoint continues with others."""
        parameters = estimator_to_plain(self)["parameters"]
        parameters["random_state"] = stream_to_plain(self._stream)
        text = json.dumps([type(self).__name__, version("tabseed"), parameters], sort_keys=True)
        digest = hashlib.sha256(text.encode())
        digest.update(np.ascontiguousarray(x).tobytes())
        return digest.hexdigest()


def _too_few(n: int, drawn: int, conditions: Conditions, encoder: TableEncoder) -> str:
    """Say that too few drawn rows meet the conditions, and which rules may be why."""
    rules = encoder.construction_.about(conditions.columns)
    kept = f" (all rows keep: {'; '.join(rules)})" if rules else ""
    return (
        f"only {n} of {drawn} drawn rows meet {conditions}{kept}; the model knows too few such "
        f"rows: {conditions.hint}"
    )


def _breaking(n: int, met: int, conditions: Conditions, blamed: Sequence[tuple[str, float]]) -> str:
    """Say that too few drawn rows keep the rules, and which of these they break."""
    met_them = f" that meet {conditions}" if len(conditions) else ""
    broken = ", ".join(f"{rule} ({share:.0%} of them break it)" for rule, share in blamed)
    return (
        f"only {n} of {met} drawn rows{met_them} keep the rules: {broken}; leave the rule out, "
        "draw fewer rows, or give more to learn from"
    )


def _those(x: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Return the rows to keep; all of them without a copy."""
    return x if keep.all() else x[keep]


def _check_room(n: int, width: int) -> None:
    """Raise TabseedError if n encoded rows, held twice as they are joined, do not fit memory."""
    try:
        room = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        room = ROOM
    need = 2 * 8 * n * max(1, width)
    if need > room:
        raise TabseedError(
            f"{n:.6g} rows need some {need / 2**30:.3g} GiB of memory, and this machine has "
            f"{room / 2**30:.3g} GiB; draw fewer rows at once, each part with its own seed"
        )
