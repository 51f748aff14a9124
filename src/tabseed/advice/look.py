"""What a table shows before anything is synthesised: a learning curve, and controls for classes.

Notation: J splits of n rows, each with n1 to learn from and n2 to judge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from tabseed._progress import Progress, silent
from tabseed._random import child
from tabseed.errors import TooFewRowsError
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.folds import deal
from tabseed.estimates.scores import SCORES, Task, score_rows
from tabseed.estimates.splits import split_error
from tabseed.metrics.models import output, train, zoo
from tabseed.metrics.problem import Labelled, Problem, points
from tabseed.metrics.usefulness import MODELS
from tabseed.table import Table
from tabseed.table.display import counted
from tabseed.table.schema import NUMERIC

FOLDS, REPEATS = 4, 3
MOST_NUMBERS = 40_000  # rows by columns of points, beyond which splits are not repeated
LEAST = 20  # rows
MOST = 5_000  # rows that are looked at
RATIO = 1 / (FOLDS - 1)  # n2 / n1
PLAIN, BALANCED = "as it is", "balanced accuracy"
WEIGHTED = "boosting"  # the model that the controls of classes change
LEVEL = 0.05
DEAL, HALVE, FIT, CHOOSE = range(4)  # random streams


@dataclass(frozen=True)
class Look:
    """What was seen of n rows; the scores are means over a linear model, a forest and boosting.

    ``score``: AUC or R2 of models that learn three quarters of the rows; ``doubling``: less that of
    models that learn half of these; ``balanced``: by control of unequal classes, the share of right
    classes, averaged over classes, of boosted trees; ``controls``: what each control adds to it,
    paired by split. Both are empty for numbers.
    """

    task: Task
    n_rows: int
    n_columns: int
    categorical: float  # share of the columns to predict from that have no numbers
    rarest: float  # share of the rarest class; 1 for numbers
    score: Estimate
    doubling: Estimate
    balanced: dict[str, Estimate]
    controls: dict[str, Estimate]


def look(
    table: Table, target: str, stream: np.random.SeedSequence, progress: Progress | None = None
) -> Look:
    """Look at rows: J = 12 splits (4 of many or wide points), of 7 models each (6 for numbers)."""
    problem = Problem.of(table, target)
    if len(table) > MOST:
        rng = np.random.default_rng(child(stream, CHOOSE))
        table = table.take(np.sort(rng.permutation(len(table))[:MOST]))
    rows = problem.rows(table, "train")
    n, classes = len(rows), rows.y if problem.task == "classification" else None
    if n < LEAST:
        raise TooFewRowsError(
            f"{counted(n, 'row')} are too few to learn and to judge from; give at least {LEAST}"
        )
    scores, halves, balanced = [], [], []
    repeats = REPEATS if points(rows, rows)[0].size <= MOST_NUMBERS else 1
    total = FOLDS * repeats
    for r in range(repeats):
        fold = deal(classes, n, FOLDS, np.random.default_rng(child(stream, DEAL, r)))
        for k in range(FOLDS):
            (progress or silent)(r * FOLDS + k, total, "splits")
            fit = child(stream, FIT, r, k)
            learn, judge = (rows.take(np.flatnonzero(own)) for own in (fold != k, fold == k))
            rng = np.random.default_rng(child(stream, HALVE, r, k))
            dealt = deal(None if classes is None else learn.y, len(learn), 2, rng)
            half = np.flatnonzero(dealt == 0)
            scores.append(_score(problem, learn, judge, fit))
            halves.append(_score(problem, learn.take(half), judge, fit))
            if classes is not None:
                balanced.append(_balanced(problem, learn, judge, fit))
    (progress or silent)(total, total, "done")
    score, gain = np.array(scores), np.array(scores) - np.array(halves)
    unit = SCORES[problem.task]
    features = [column for column in problem.schema if column.name != problem.target]
    names = list(balanced[0]) if balanced else []
    return Look(
        problem.task,
        n,
        len(features),
        float(np.mean([c.kind not in NUMERIC for c in features])),
        1.0 if classes is None else float(np.bincount(rows.y).min() / n),
        over_splits(score[np.isfinite(score)], unit, most=1.0),
        over_splits(gain[np.isfinite(gain)], unit),
        {
            name: over_splits(np.array([b[name] for b in balanced]), BALANCED, most=1.0)
            for name in names
        },
        {
            name: over_splits(np.array([b[name] - b[PLAIN] for b in balanced]), BALANCED)
            for name in names
            if name != PLAIN
        },
    )


def over_splits(values: np.ndarray, unit: str, most: float = np.inf) -> Estimate:
    """Return the mean over splits that share rows, with its interval up to ``most``.

    NaN if there are too few splits.
    """
    if len(values) < 2:
        return Estimate(np.nan, np.nan, np.nan, unit, "higher")
    mean = float(values.mean())
    half = float(student.ppf(1 - LEVEL / 2, len(values) - 1)) * float(split_error(values, RATIO))
    return Estimate(mean, mean - half, min(mean + half, most), unit, "higher")


def _score(
    problem: Problem, learn: Labelled, judge: Labelled, stream: np.random.SeedSequence
) -> float:
    """Return the mean score of the models; NaN where the rows that judge give none."""
    models, (x, inputs) = zoo(problem.task, len(learn)), points(learn, judge)
    found = []
    for at, name in enumerate(MODELS):
        fitted = train(models[name], x, learn.y, problem, child(stream, at))
        each = score_rows(problem.task, judge.y, output(fitted, inputs, problem))
        if each is not None:
            found.append(float(each.mean()))
    return float(np.mean(found)) if found else np.nan


def _balanced(
    problem: Problem, learn: Labelled, judge: Labelled, stream: np.random.SeedSequence
) -> dict[str, float]:
    """Return the share of right classes, averaged over classes, without and with each control."""
    model, (x, inputs) = zoo(problem.task, len(learn))[WEIGHTED], points(learn, judge)
    counts = np.bincount(learn.y, minlength=len(problem.classes))
    weight = len(learn) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    shares = output(train(model, x, learn.y, problem, stream), inputs, problem)
    weighted = train(model, x, learn.y, problem, stream, weight=weight[learn.y])
    said = {
        PLAIN: shares.argmax(axis=1),
        "a moved threshold": (shares * weight).argmax(axis=1),
        "class weights": output(weighted, inputs, problem).argmax(axis=1),
    }
    judged = np.unique(judge.y)
    return {
        name: float(np.mean([np.mean(guess[judge.y == c] == c) for c in judged]))
        for name, guess in said.items()
    }
