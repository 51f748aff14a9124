"""What every augmenter promises: originals first and untouched, the hardest rows and no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.base import clone

from tabseed._random import child, seed_sequence
from tabseed.augment.augmenter import SCORE
from tabseed.errors import SchemaError
from tabseed.hardness.hints import hints
from tabseed.hardness.shapley.knn import KNNShapley
from tabseed.testing.tables import example_table, frames

N, TAU = 80, 0.25  # rows, and the share of hard ones, that checks take
SKIPPED = ("mislabelled", "out of support")
PROVENANCE = "drawn <b>"


def check_originals_come_first_and_stay(augmenter: Any) -> None:
    """The first n rows are those that came in, cell by cell, and so are their labels."""
    for X, y in _kinds(augmenter):
        drawn, labels = _made(augmenter).fit_resample(X, y)
        assert _same(_part(drawn, N), X), f"{type(X).__module__}: original rows differ"
        assert _same(labels[:N], y), f"{type(X).__module__}: original labels differ"


def check_the_kind_of_rows_comes_back(augmenter: Any) -> None:
    """Frames of a kind, arrays and lists give the same kind, with their columns and dtypes."""
    for X, y in _kinds(augmenter):
        drawn, labels = _made(augmenter).fit_resample(X, y)
        assert type(drawn) is type(X) and _types(drawn) == _types(X), type(X).__module__
        assert type(labels) is type(y) and np.asarray(labels).dtype == np.asarray(y).dtype
        assert len(drawn) == len(labels) > N


def check_added_rows_are_told_apart(augmenter: Any) -> None:
    """``sample_indices_`` are places, -1 for drawn rows; ``provenance`` is a column of that."""
    for X, y in _kinds(augmenter):
        made = _made(augmenter)
        plain, _ = made.fit_resample(X, y)
        expected = np.append(np.arange(N), np.full(len(plain) - N, -1))
        assert np.array_equal(made.sample_indices_, expected)
        made.set_params(provenance=PROVENANCE)
        if isinstance(X, np.ndarray | list):
            try:
                made.fit_resample(X, y)
            except SchemaError:
                continue
            raise AssertionError("an array has no names, yet provenance was taken")
        flagged, _ = made.fit_resample(X, y)
        told = np.array(list(flagged[PROVENANCE].to_numpy()), dtype=bool)
        assert np.array_equal(told, expected == -1)


def check_added_rows_follow_amount(augmenter: Any) -> None:
    """round(amount k) rows are added for k hard ones, which are all that the generator learned."""
    X, y = _case(augmenter)
    for amount in (0, 0.5, 1, 2.3):
        made = _made(augmenter, amount=amount)
        drawn, _ = made.fit_resample(X, y)
        k = int(made.hard_.sum())
        assert made.hard_.shape == (N,) and made.hard_.dtype == bool
        assert len(drawn) - N == round(amount * k), f"{len(drawn) - N} for {k} hard at {amount}"
        assert made.generator_.n_rows_ == k


def check_hardest_one_learns_all_rows(augmenter: Any) -> None:
    """With ``hardest=1`` nothing is scored, and every row is learned."""
    X, y = _case(augmenter)
    made = _made(augmenter, hardest=1.0)
    drawn, _ = made.fit_resample(X, y)
    assert made.hardness_ is None and made.hard_.all()
    assert made.generator_.n_rows_ == N and len(drawn) == N + round(made.amount * N)


def check_hard_rows_are_the_hardest(augmenter: Any) -> None:
    """Hard are the top tau by the scorer's own score, of all rows or of each class."""
    X, y = _case(augmenter)
    scorer = clone(augmenter.scorer) if augmenter.scorer is not None else KNNShapley()
    scorer.set_params(random_state=child(seed_sequence(0), SCORE))
    scores = scorer.fit_score(X, y, task=augmenter.task)
    for per_class in (False, True):
        made = _made(augmenter, per_class=per_class).fit(X, y)
        assert np.array_equal(made.hardness_, scores), "hardness_ are not the scorer's scores"
        grouped = per_class and augmenter.task == "classification"
        group = np.array([str(v) if grouped else "" for v in y])
        expected: list[int] = []
        for name in sorted(set(group)):
            members = np.flatnonzero(group == name).tolist()
            ordered = sorted(members, key=lambda i: (-scores[i], i))
            expected += ordered[: max(1, round(TAU * len(members)))]
        found = np.flatnonzero(made.hard_).tolist()
        assert found == sorted(expected), f"hard rows {found}, the top are {sorted(expected)}"


def check_skip_leaves_hinted_rows_out(augmenter: Any) -> None:
    """Rows with a hint of ``skip`` are not learned, and tau is a share of the others."""
    X, y = _hinted(augmenter.task)
    hinted = np.isin(hints(X, y, task=augmenter.task).astype(str), SKIPPED)
    assert 0 < hinted.sum() < N / 2
    made = _made(augmenter, skip=SKIPPED, per_class=False).fit(X, y)
    assert not (made.hard_ & hinted).any(), "a row was learned that was to be skipped"
    assert made.hard_.sum() == round(TAU * int((~hinted).sum()))
    every = _made(augmenter, skip=SKIPPED, hardest=1.0).fit(X, y)
    assert np.array_equal(every.hard_, ~hinted)
    drawn, _ = every.fit_resample(X, y)
    assert np.array_equal(drawn[:N], X), "skipped rows stay in the table"


def check_permuting_rows_permutes_what_is_skipped(augmenter: Any) -> None:
    """Rows in another order are skipped or learned alike; scores in folds depend on the folds."""
    X, y = _hinted(augmenter.task)
    order = np.random.default_rng(1).permutation(N)
    made = _made(augmenter, skip=SKIPPED, hardest=1.0)
    straight = made.fit(X, y).hard_
    assert np.array_equal(clone(made).fit(X[order], y[order]).hard_, straight[order])


def check_names_of_classes_do_not_matter(augmenter: Any) -> None:
    """Classes called otherwise, in the same order, give the same rows, labels renamed."""
    if augmenter.task != "classification":
        return
    X, y = _case(augmenter)
    first, labels = _made(augmenter).fit_resample(X, y)
    code = np.unique(y, return_inverse=True)[1]
    second, renamed = _made(augmenter).fit_resample(X, np.array(["A <i>", "Bé"])[code])
    assert _same(first, second), "names of classes change the rows drawn"
    assert np.array_equal(np.unique(labels, return_inverse=True)[1], renamed == "Bé")


def check_augmenter_seed_decides_everything(augmenter: Any) -> None:
    """Same seed, same bytes, by a clone too; other seed, other rows; nothing else is touched."""
    X, y = _case(augmenter)
    before, shown = str(np.random.get_state()), repr(augmenter)  # noqa: NPY002
    made = _made(augmenter, amount=2)
    first, labels = made.fit_resample(X, y)
    again, same = clone(made).fit_resample(X, y)
    assert _same(first, again) and labels.tobytes() == same.tobytes(), "the seed does not decide"
    other, _ = clone(made).set_params(random_state=1).fit_resample(X, y)
    assert len(other) != len(first) or not _same(first, other), "another seed, the same rows"
    assert before == str(np.random.get_state()), "global random state was used"  # noqa: NPY002
    assert repr(augmenter) == shown and not hasattr(made.generator, "schema_")


def check_augmenter_changes_no_input(augmenter: Any) -> None:
    """Rows and labels stay as they were."""
    for (X, y), (kept, labels) in zip(_kinds(augmenter), _kinds(augmenter), strict=True):
        _made(augmenter).fit_resample(X, y)
        assert _same(X, kept) and _types(X) == _types(kept), type(X).__module__
        assert _same(y, labels)


# --- rows to check by ---------------------------------------------------------------------------


def _made(augmenter: Any, **settings: Any) -> Any:
    """A copy with what checks count on; all else as it came."""
    plain = {"random_state": 0, "hardest": TAU, "skip": None, "provenance": None}
    return clone(augmenter).set_params(**{**plain, **settings})


def _case(augmenter: Any) -> tuple[pa.Table, np.ndarray]:
    """A table of all kinds and labels that overlap: two classes, or numbers."""
    table = example_table(N)
    y = table["age"].to_numpy() + 10 * np.random.default_rng(7).normal(size=N)
    table = table.drop_columns(["person_id", "age"])
    if augmenter.task == "classification":
        return table, np.where(y > np.median(y), "yés", "<no>")
    return table, np.round(y, 2)


def _kinds(augmenter: Any) -> list[tuple[Any, Any]]:
    """The table as each kind of frame that is installed here; an array and a list of numbers."""
    table, y = _case(augmenter)
    x = np.random.default_rng(5).normal(size=(N, 3)).astype(np.float32)
    return [*((frame, y.copy()) for frame in frames(table)), (x, y), (x.tolist(), y.tolist())]


def _hinted(task: str) -> tuple[np.ndarray, np.ndarray]:
    """Two clean clusters; three wrong labels, two rows far from all others."""
    rng = np.random.default_rng(11)
    side = np.arange(N) % 2
    x = rng.normal(size=(N, 3)) * 0.3
    x[:, 0] += np.where(side == 1, 3.0, -3.0)
    x[[4, 9]] += 40.0
    wrong = np.isin(np.arange(N), (12, 31, 50))
    y = np.where(wrong, 1 - side, side)
    return x, y if task == "classification" else 10.0 * y + 0.1 * rng.normal(size=N)


def _part(rows: Any, n: int) -> Any:
    """The first n rows."""
    if isinstance(rows, pa.Table):
        return rows.slice(0, n)
    return rows[:n]


def _same(first: Any, second: Any) -> bool:
    """Whether two are equal cell by cell, missing cells included."""
    if isinstance(first, np.ndarray):
        return bool(first.tobytes() == second.tobytes())
    return bool(first == second if isinstance(first, list) else first.equals(second))


def _types(rows: Any) -> Any:
    """Names and types of the columns of a frame; the type of an array."""
    if isinstance(rows, list):
        return type(rows[0][0])
    if isinstance(rows, np.ndarray):
        return rows.dtype, rows.shape[1]
    if isinstance(rows, pa.Table):
        return rows.schema
    return list(rows.columns), list(rows.dtypes)
