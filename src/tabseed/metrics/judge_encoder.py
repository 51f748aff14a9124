"""What the judges see of a table: inputs for trees and for a network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from tabseed.metrics.leakage import pooled_codes
from tabseed.rules.patterns import Equation, Pattern
from tabseed.table import MISSING, Table
from tabseed.table.schema import NUMERIC

MAX_LEVELS_TREES = 254  # HistGradientBoosting takes codes below 255; the last is "any other"
MAX_LEVELS_MLP = 30  # levels with their own column in the one-hot code; the rest share one
CLIP = 5.0  # z-scores are cut there, so that one outlier does not steer a network
SAME = 1e-8  # of a column's range: values that differ by less count as equal
BINS = 20  # of the coarse view: each contains 1/20 of the real rows


@dataclass(frozen=True)
class JudgeInputs:
    """The pooled rows, real ones first: one float array (n, width) for each kind of judge.

    ``trees`` holds numbers (NaN where missing) and category codes (NaN where missing);
    ``categorical`` says which of its columns are codes. ``mlp`` is dense and finite.
    """

    trees: np.ndarray
    categorical: np.ndarray
    mlp: np.ndarray


class JudgeEncoder:
    """Turn two tables into features without looking at which table a row came from.

    Vocabulary, scale, ranks and what counts as equal come from the pooled rows, so exchanging real
    and synthetic rows changes nothing: under "no difference" the labels are exchangeable. Only
    ``coarse`` looks at the real rows alone, for its bin edges (see :func:`coarse_codes`), so that
    a bin means the same for every synthetic table.

    ``rules`` (found on rows of neither table) become features too: whether a row breaks each, and
    by how much, since no judge learns to subtract columns from few rows.
    """

    def __init__(self, *, coarse: bool = False, rules: Sequence[Pattern] = ()) -> None:
        self.coarse = coarse
        self.rules = rules

    def encode(self, real: Table, synthetic: Table) -> JudgeInputs:
        """Return both tables encoded. Cost: one sort of the pooled rows per numeric column."""
        trees: list[np.ndarray] = []
        categorical: list[bool] = []
        mlp: list[np.ndarray] = []
        for column in real.schema:
            is_number = column.kind in NUMERIC or column.coded
            if is_number:
                numbers = [real.numbers(column.name), synthetic.numbers(column.name)]
                cells = self._numbers(*merge_close(numbers))
                trees.append(cells)
                mlp.extend(_number_inputs(cells))
            else:
                codes = np.concatenate(pooled_codes([real, synthetic], column.name))
                trees.append(_tree_codes(codes))
                mlp.extend(_one_hot(codes))
            categorical.append(not is_number)
        for rule in self.rules:
            for cells, inputs in self._of_rule(rule, [real, synthetic]):
                trees.append(cells)
                mlp.extend(inputs)
                categorical.append(False)
        n = len(real) + len(synthetic)
        dense = np.column_stack(mlp) if mlp else np.zeros((n, 1))
        return JudgeInputs(np.column_stack(trees), np.array(categorical), dense)

    def _of_rule(
        self, rule: Pattern, tables: list[Table]
    ) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
        """Yield what a rule says of each row, for trees and for networks."""
        broken = np.concatenate([rule.broken(t, coarse=self.coarse) for t in tables])
        flag = np.nan_to_num(broken)
        if flag.any():
            yield flag, _flag(flag)
        measures = [rule.measure(table) for table in tables]
        if not any(measure is None for measure in measures):
            if self.coarse and isinstance(rule, Equation):
                return  # by how little an equation is missed would be detail
            cells = self._numbers(*merge_close([np.asarray(measure) for measure in measures]))
            if np.nanmax(cells, initial=-np.inf) > np.nanmin(cells, initial=np.inf):
                yield cells, _number_inputs(cells)

    def _numbers(self, real: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
        if self.coarse:
            synthetic, real = coarse_codes(real, synthetic), coarse_codes(real, real)
        return np.concatenate([real, synthetic])


def merge_close(parts: list[np.ndarray]) -> list[np.ndarray]:
    """Return numbers with those made equal that differ by less than SAME of the pooled range.

    Chains of close numbers become one. The last bits of a number tell how it was computed, not
    what was measured: otherwise a judge would distinguish 0.1 + 0.2 from 0.3.
    """
    pooled = np.concatenate(parts)
    levels, codes = np.unique(pooled, return_inverse=True)  # NaN comes last
    present = levels[~np.isnan(levels)]
    if len(present) > 1:
        new = np.diff(present, prepend=-np.inf) > SAME * (present[-1] - present[0])
        levels[: len(present)] = present[new][np.cumsum(new) - 1]
    return np.split(levels[codes], np.cumsum([len(part) for part in parts])[:-1])


def coarse_codes(real: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the index of each number's bin among the real rows' 20-quantiles.

    Edges are the distinct real quantiles at 0.05, ..., 0.95; a value equal to an edge lies
    below it; missing (NaN) stays missing.
    """
    present = real[~np.isnan(real)]
    if len(present) == 0:
        return np.where(np.isnan(values), np.nan, 0.0)
    edges = np.unique(np.quantile(present, np.arange(1, BINS) / BINS))
    return np.where(np.isnan(values), np.nan, np.searchsorted(edges, values, side="left"))


def _number_inputs(cells: np.ndarray) -> list[np.ndarray]:
    """Return robust z-score, normal score of the mid-rank, and a missing flag where it varies.

    Both scales are needed, because each hides what the other shows: ranks flatten a far tail,
    z-scores crowd a skewed body.
    """
    missing = np.isnan(cells)
    inputs = [missing.astype(float)] if missing.any() and not missing.all() else []
    present = cells[~missing]
    levels, codes, counts = np.unique(present, return_inverse=True, return_counts=True)
    if len(levels) < 2:
        return inputs
    low, middle, high = np.quantile(present, [0.25, 0.5, 0.75])
    scale = (high - low) / 1.349 or present.std()
    mid_rank = (np.cumsum(counts) - counts / 2) / len(present)
    for scores in (np.clip((present - middle) / scale, -CLIP, CLIP), ndtri(mid_rank)[codes]):
        full = np.zeros(len(cells))
        full[~missing] = scores - scores.mean()
        inputs.append(full / (scores.std() or 1.0))
    return inputs


def _by_frequency(codes: np.ndarray) -> np.ndarray:
    """Return codes 0, 1, ... from the most to the least common level; missing stays MISSING."""
    levels, counts = np.unique(codes[codes != MISSING], return_counts=True)
    if len(levels) == 0:
        return codes
    rank = np.empty(len(levels), dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(levels))
    index = np.minimum(np.searchsorted(levels, codes), len(levels) - 1)
    return np.where(codes == MISSING, MISSING, rank[index])


def _tree_codes(codes: np.ndarray) -> np.ndarray:
    ranks = np.minimum(_by_frequency(codes), MAX_LEVELS_TREES)
    return np.where(ranks == MISSING, np.nan, ranks.astype(float))


def _one_hot(codes: np.ndarray) -> list[np.ndarray]:
    """Return a scaled indicator for each level that some rows have and others lack."""
    ranks = np.minimum(_by_frequency(codes), MAX_LEVELS_MLP)
    columns = []
    for level in np.unique(ranks):
        columns += _flag((ranks == level).astype(float))
    return columns


def _flag(flag: np.ndarray) -> list[np.ndarray]:
    """Return an indicator centred and scaled, nothing if it does not vary."""
    share = flag.mean()
    if not 0 < share < 1:
        return []
    # do not scale a rare level to unit variance: it would be pure noise
    return [(flag - share) / max(math.sqrt(share * (1 - share)), 0.2)]
