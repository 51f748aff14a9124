"""The laws of hardness scorers: larger is harder, and the order of the rows does not matter."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from tabseed.errors import SchemaError, TooFewRowsError
from tabseed.testing.tables import example_table, frames

SCORE_TOLERANCE = 1e-5  # networks compute in float32
FLIPPED = 7  # index of the row of the clean clusters whose label is wrong


def check_a_flipped_label_in_a_clean_cluster_ranks_first(scorer: Any) -> None:
    """In two clean clusters with one wrong label or target, the row with it is the hardest."""
    for task in scorer.tasks if scorer.finds_wrong_labels else ():
        x, y = _clean(task)
        scores = clone(scorer).set_params(random_state=0).fit_score(x, y, task=task)
        first = int(np.argmax(scores))
        assert first == FLIPPED, (
            f"{task}: row {first} is the hardest, but row {FLIPPED} has the wrong label"
        )


def check_permuting_rows_permutes_scores(scorer: Any) -> None:
    """With the same reference, rows in another order get the same scores."""
    for task in scorer.tasks:
        (x, y), reference = _clean(task, 1), _clean(task, 2)
        order = np.random.default_rng(0).permutation(len(x))
        model = clone(scorer).set_params(random_state=0)
        straight = model.fit_score(x, y, reference=reference, task=task)
        permuted = clone(model).fit_score(x[order], y[order], reference=reference, task=task)
        gap = np.abs(permuted - straight[order]).max()
        assert gap <= SCORE_TOLERANCE * np.abs(straight).max(), f"{task}: scores move by {gap}"


def check_scorer_seed_decides_everything(scorer: Any) -> None:
    """Same seed, same bytes; global random state and the rows stay as they were."""
    x, y = _clean(scorer.tasks[0])
    before, copies = _global_state(), (x.copy(), y.copy())
    first, second = (clone(scorer).set_params(random_state=3).fit_score(x, y) for _ in range(2))
    assert first.tobytes() == second.tobytes(), "the same seed gives other scores"
    assert before == _global_state(), "global random state was used"
    assert all(np.array_equal(a, b) for a, b in zip(copies, (x, y), strict=True))


def check_labels_are_names(scorer: Any) -> None:
    """Renaming the classes, in the same order, changes no score, and no kind of frame does."""
    if "classification" not in scorer.tasks:
        return
    model = clone(scorer).set_params(random_state=0)
    table = example_table(60)
    y = np.arange(60) % 3
    plain = model.fit_score(table, y)
    assert plain.shape == (60,) and plain.dtype == np.float64 and not np.isnan(plain).any()
    renamed = clone(model).fit_score(table, np.array(["<c>", "a", "bé"])[y])
    assert np.array_equal(plain, renamed), "names of classes change scores"
    for frame in frames(table):
        same = np.array_equal(plain, clone(model).fit_score(frame, y))
        assert same, f"{type(frame).__module__} changes scores"


def check_odd_rows_are_scored_or_refused(scorer: Any) -> None:
    """Few rows, one class, constant or missing columns: finite scores, or a refusal.

    TooFewRowsError refuses few rows, SchemaError rows of one class.
    """
    rng = np.random.default_rng(5)
    for n in (1, 2, 5, 20):
        for classes in (1, 2):
            x = np.column_stack([rng.normal(size=n), np.ones(n), np.full(n, np.nan)])
            for rows in (x, x[:, 1:]):
                try:
                    model = clone(scorer).set_params(random_state=0)
                    scores = model.fit_score(rows, np.arange(n) % classes, task=scorer.tasks[0])
                except TooFewRowsError:
                    continue
                except SchemaError:
                    assert classes == 1 or n == 1, f"{n} rows of two classes are refused"
                    continue
                assert scores.shape == (n,) and np.isfinite(scores).all(), (n, classes, scores)


def _global_state() -> str:
    return str(np.random.get_state())  # noqa: NPY002


def _clean(task: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return two clusters far apart, 40 rows in all, of which one has the wrong label."""
    rng = np.random.default_rng([77, seed])
    side = np.arange(40) % 2
    x = rng.normal(size=(40, 3)) * 0.3
    x[:, 0] += np.where(side == 1, 3.0, -3.0)
    wrong = np.arange(40) == FLIPPED
    if task == "classification":
        return x, np.where(wrong, 1 - side, side)
    return x, np.where(wrong, -5.0, 5.0) * np.where(side == 1, 1, -1) + 0.1 * rng.normal(size=40)
