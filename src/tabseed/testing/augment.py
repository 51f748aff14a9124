"""The laws of augmenters: originals first and unchanged; only the hardest rows are learned."""

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

N, TAU = 80, 0.25  # number of rows, and share of hard ones, in the checks
SKIPPED = ("mislabelled", "out of support")
PROVENANCE = "drawn <b>"


def check_originals_come_first_and_stay(augmenter: Any) -> None:
    """The first n rows are those that came in, cell by cell, and so are their labels."""
    for X, y in _kinds(augmenter):
        rows, labels = _configured(augmenter).fit_resample(X, y)
        assert _same(_part(rows, N), X), f"{type(X).__module__}: original rows differ"
        assert _same(labels[:N], y), f"{type(X).__module__}: original labels differ"


def check_the_kind_of_rows_comes_back(augmenter: Any) -> None:
    """Each kind of frame, an array and a list come back as that kind, same columns and dtypes."""
    for X, y in _kinds(augmenter):
        rows, labels = _configured(augmenter).fit_resample(X, y)
        assert type(rows) is type(X) and _types(rows) == _types(X), type(X).__module__
        assert type(labels) is type(y) and np.asarray(labels).dtype == np.asarray(y).dtype
        assert len(rows) == len(labels) > N


def check_added_rows_are_told_apart(augmenter: Any) -> None:
    """``sample_indices_`` are row indices, -1 for added rows; ``provenance`` flags the latter."""
    for X, y in _kinds(augmenter):
        model = _configured(augmenter)
        plain, _ = model.fit_resample(X, y)
        expected = np.append(np.arange(N), np.full(len(plain) - N, -1))
        assert np.array_equal(model.sample_indices_, expected)
        model.set_params(provenance=PROVENANCE)
        if isinstance(X, np.ndarray | list):
            try:
                model.fit_resample(X, y)
            except SchemaError:
                continue
            raise AssertionError("an array has no column names, yet provenance was accepted")
        flagged, _ = model.fit_resample(X, y)
        flags = np.array(list(flagged[PROVENANCE].to_numpy()), dtype=bool)
        assert np.array_equal(flags, expected == -1)


def check_added_rows_follow_amount(augmenter: Any) -> None:
    """round(amount k) rows are added for k hard ones, and the generator learns only those k."""
    X, y = _case(augmenter)
    for amount in (0, 0.5, 1, 2.3):
        model = _configured(augmenter, amount=amount)
        rows, _ = model.fit_resample(X, y)
        k = int(model.hard_.sum())
        assert model.hard_.shape == (N,) and model.hard_.dtype == bool
        assert len(rows) - N == round(amount * k), (
            f"amount={amount}: {len(rows) - N} rows added for {k} hard ones"
        )
        assert model.generator_.n_rows_ == k


def check_hardest_one_learns_all_rows(augmenter: Any) -> None:
    """With ``hardest=1`` nothing is scored, and every row is learned."""
    X, y = _case(augmenter)
    model = _configured(augmenter, hardest=1.0)
    rows, _ = model.fit_resample(X, y)
    assert model.hardness_ is None and model.hard_.all()
    assert model.generator_.n_rows_ == N and len(rows) == N + round(model.amount * N)


def check_hard_rows_are_the_hardest(augmenter: Any) -> None:
    """The hard rows are the top tau, of all rows or of each class, by the scorer's own score."""
    X, y = _case(augmenter)
    scorer = clone(augmenter.scorer) if augmenter.scorer is not None else KNNShapley()
    scorer.set_params(random_state=child(seed_sequence(0), SCORE))
    scores = scorer.fit_score(X, y, task=augmenter.task)
    for per_class in (False, True) if augmenter.task == "classification" else (False,):
        model = _configured(augmenter, per_class=per_class).fit(X, y)
        assert np.array_equal(model.hardness_, scores), "hardness_ differs from the scorer's scores"
        group = np.array([str(v) if per_class else "" for v in y])
        expected: list[int] = []
        for name in sorted(set(group)):
            members = np.flatnonzero(group == name).tolist()
            ordered = sorted(members, key=lambda i: (-scores[i], i))
            expected += ordered[: max(1, round(TAU * len(members)))]
        hard = np.flatnonzero(model.hard_).tolist()
        assert hard == sorted(expected), f"hard rows are {hard}, not the top {sorted(expected)}"


def check_skip_leaves_hinted_rows_out(augmenter: Any) -> None:
    """Rows with a hint of ``skip`` are not learned, and tau is a share of the others."""
    X, y = _hinted(augmenter.task)
    hinted = np.isin(hints(X, y, task=augmenter.task).astype(str), SKIPPED)
    assert 0 < hinted.sum() < N / 2
    model = _configured(augmenter, skip=SKIPPED, per_class=False).fit(X, y)
    assert not (model.hard_ & hinted).any(), "a row that should be skipped was learned"
    assert model.hard_.sum() == round(TAU * int((~hinted).sum()))
    every = _configured(augmenter, skip=SKIPPED, hardest=1.0).fit(X, y)
    assert np.array_equal(every.hard_, ~hinted)
    rows, _ = every.fit_resample(X, y)
    assert np.array_equal(rows[:N], X), "skipped rows must stay in the table"


def check_permuting_rows_permutes_what_is_skipped(augmenter: Any) -> None:
    """In another order the same rows are skipped; not so for scores, which depend on the folds."""
    X, y = _hinted(augmenter.task)
    order = np.random.default_rng(1).permutation(N)
    model = _configured(augmenter, skip=SKIPPED, hardest=1.0)
    straight = model.fit(X, y).hard_
    assert np.array_equal(clone(model).fit(X[order], y[order]).hard_, straight[order])


def check_names_of_classes_do_not_matter(augmenter: Any) -> None:
    """Renaming the classes, in the same order, gives the same rows with the labels renamed."""
    if augmenter.task != "classification":
        return
    X, y = _case(augmenter)
    first, labels = _configured(augmenter).fit_resample(X, y)
    code = np.unique(y, return_inverse=True)[1]
    second, renamed = _configured(augmenter).fit_resample(X, np.array(["A <i>", "Bé"])[code])
    assert _same(first, second), "names of classes change the rows drawn"
    assert np.array_equal(np.unique(labels, return_inverse=True)[1], renamed == "Bé")


def check_augmenter_seed_decides_everything(augmenter: Any) -> None:
    """Same seed, same bytes, also from a clone; other seed, other rows; nothing else changes."""
    X, y = _case(augmenter)
    before, text = str(np.random.get_state()), repr(augmenter)  # noqa: NPY002
    model = _configured(augmenter, amount=2)
    first, labels = model.fit_resample(X, y)
    again, same = clone(model).fit_resample(X, y)
    assert _same(first, again), "the same seed gives other rows"
    assert labels.tobytes() == same.tobytes(), "the same seed gives other labels"
    other, _ = clone(model).set_params(random_state=1).fit_resample(X, y)
    assert len(other) != len(first) or not _same(first, other), "another seed gives the same rows"
    assert before == str(np.random.get_state()), "global random state was used"  # noqa: NPY002
    assert repr(augmenter) == text and not hasattr(model.generator, "schema_")


def check_augmenter_changes_no_input(augmenter: Any) -> None:
    """Rows and labels stay as they were."""
    for (X, y), (rows, labels) in zip(_kinds(augmenter), _kinds(augmenter), strict=True):
        _configured(augmenter).fit_resample(X, y)
        assert _same(X, rows) and _types(X) == _types(rows), type(X).__module__
        assert _same(y, labels)


# --- rows for the checks ------------------------------------------------------------------------


def _configured(augmenter: Any, **settings: Any) -> Any:
    """Return a copy with the settings that the checks rely on; all others stay."""
    plain = {"random_state": 0, "hardest": TAU, "skip": None, "provenance": None}
    return clone(augmenter).set_params(**{**plain, **settings})


def _case(augmenter: Any) -> tuple[pa.Table, np.ndarray]:
    """Return a table of all kinds and labels that overlap: two classes, or numbers."""
    table = example_table(N)
    y = table["age"].to_numpy() + 10 * np.random.default_rng(7).normal(size=N)
    table = table.drop_columns(["person_id", "age"])
    if augmenter.task == "classification":
        return table, np.where(y > np.median(y), "yés", "<no>")
    return table, np.round(y, 2)


def _kinds(augmenter: Any) -> list[tuple[Any, Any]]:
    """Return the table as each kind of frame installed here; an array and a list of numbers."""
    table, y = _case(augmenter)
    x = np.random.default_rng(5).normal(size=(N, 3)).astype(np.float32)
    return [*((frame, y.copy()) for frame in frames(table)), (x, y), (x.tolist(), y.tolist())]


def _hinted(task: str) -> tuple[np.ndarray, np.ndarray]:
    """Return two clean clusters with three wrong labels and two rows far from all others."""
    rng = np.random.default_rng(11)
    side = np.arange(N) % 2
    x = rng.normal(size=(N, 3)) * 0.3
    x[:, 0] += np.where(side == 1, 3.0, -3.0)
    x[[4, 9]] += 40.0
    wrong = np.isin(np.arange(N), (12, 31, 50))
    y = np.where(wrong, 1 - side, side)
    return x, y if task == "classification" else 10.0 * y + 0.1 * rng.normal(size=N)


def _part(rows: Any, n: int) -> Any:
    """Return the first n rows."""
    if isinstance(rows, pa.Table):
        return rows.slice(0, n)
    return rows[:n]


def _same(first: Any, second: Any) -> bool:
    """Return whether two tables are equal cell by cell, missing cells included."""
    if isinstance(first, np.ndarray):
        return bool(first.tobytes() == second.tobytes())
    return bool(first == second if isinstance(first, list) else first.equals(second))


def _types(rows: Any) -> Any:
    """Return the names and types of the columns of a frame; the type of an array or a list."""
    if isinstance(rows, list):
        return type(rows[0][0])
    if isinstance(rows, np.ndarray):
        return rows.dtype, rows.shape[1]
    if isinstance(rows, pa.Table):
        return rows.schema
    return list(rows.columns), list(rows.dtypes)
