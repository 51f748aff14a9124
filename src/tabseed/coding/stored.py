"""Blocks out of a model file: each is checked by type and bounds, so that none can end in nonsense.

A file may come from a stranger, and a generator trusts its encoder in every step: a ``missing`` of
1000000 is a number of cells, and an atom of NaN a category that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import Field, fields
from typing import Any

import numpy as np

from tabseed.coding.cells import DATE_UNITS, END_LEVELS, KNOTS, Block
from tabseed.table.notation.date_fields import YEARS
from tabseed.table.schema import NUMERIC, Column

LARGEST = 1e151  # beyond the numbers that a table may hold
MAX_CELLS = 100_000  # of a block, whose one-hot is as wide
MAX_DECIMALS = 15


def block_from(
    entry: Mapping[str, Any], arrays: Mapping[str, np.ndarray], column: Column, start: int
) -> Block:
    """Return the block of ``column`` from its plain values and arrays in a file.

    ``start`` is the coordinate that follows the blocks before it. ValueError for anything that
    fitting an encoder could not have given; :func:`check_parents` looks at blocks together.
    """
    for field in fields(Block):
        if field.name in arrays:
            _check_array(field, arrays[field.name])
        elif field.name in entry:
            _check_plain(field, entry[field.name])
    every: dict[str, Any] = {**entry, **arrays}
    block = Block(**every)  # an unknown or missing name raises
    numeric = column.kind in NUMERIC
    sound = block.name == column.name and block.numeric == numeric and block.start == start
    sound = sound and block.n_cells <= MAX_CELLS
    if not (sound and (_sound_numbers(block, column) if numeric else _sound_codes(block, column))):
        raise ValueError(f"the cells of column {column.name!r} are not sound")
    return block


def _check_plain(field: Field[Any], value: Any) -> None:
    kind = str(field.type)
    fits = {
        "str": isinstance(value, str),
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31,
        "float": isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < LARGEST,  # false for NaN
        "np.ndarray | None": value is None,
    }
    if not fits.get(kind, False):
        raise ValueError(f"a block's {field.name} is not of the type {kind}")


def _check_array(field: Field[Any], value: np.ndarray) -> None:
    two = field.name in ("knots", "gaps", "tails")
    sound = (
        "ndarray" in str(field.type)
        and value.dtype in (np.float64, np.int64)
        and value.ndim == 1 + two
        and bool((np.abs(value.astype(float)) < LARGEST).all())  # false for NaN
    )
    if not sound:
        raise ValueError(f"a block's {field.name} are not finite numbers of the right shape")


def _sound_numbers(block: Block, column: Column) -> bool:
    points = np.concatenate([block.atoms, block.knots.ravel()])
    sound = (
        block.knots.shape[1:] == (KNOTS,)
        and bool((np.diff(block.knots, axis=1) >= 0).all())
        and bool((np.diff(block.knots[:, 0]) >= 0).all())
        and len(np.unique(block.atoms)) == len(block.atoms)
        and not len(block.group)
        and not len(block.group_weights)
        and not block.ranked
        and block.scale > 0
        and block.step >= 0
        and -1 <= block.decimals <= MAX_DECIMALS
        and _sound_gaps(block)
        and _sound_tails(block)
        and block.bits in (16, 32, 64)
        and (block.coarse == 0 or 1e-4 <= block.coarse <= DATE_UNITS[0])
        and 0 <= block.coarse_share <= 1
    )
    if sound and block.step > 0 and len(points):
        reach = max(np.ptp(points), np.abs(points - block.origin).max()) / block.step
        sound = bool(reach < 2**62)
    if sound and column.kind == "datetime":
        first, last = YEARS
        sound = bool(((points >= first) & (points < last + 1)).all())  # no float is the last one
    return sound


def _sound_gaps(block: Block) -> bool:
    gaps = block.gaps
    return gaps is None or (gaps.shape[1] == 2 and bool((np.diff(gaps.ravel()) >= 0).all()))


def _sound_tails(block: Block) -> bool:
    if block.tails is None:
        return True
    if block.tails.shape != (2, len(END_LEVELS)) or not len(block.knots):
        return False
    down, up = block.tails
    ends = block.knots.min(), block.knots.max()
    return bool((down >= ends[0]).all() and (up <= ends[1]).all()) and bool(
        (np.diff(down) <= 0).all() and (np.diff(up) >= 0).all()
    )


def _sound_codes(block: Block, column: Column) -> bool:
    codes = np.concatenate([block.atoms, block.group])
    return (
        not block.knots.size
        and len(np.unique(codes)) == len(codes)
        and bool(np.isin(codes, np.arange(len(column.categories))).all())
        and block.group.shape == block.group_weights.shape
        and bool((block.group_weights > 0).all())
        and block.scale > 0
        and (not block.ranked or column.kind == "ordinal")
        and block.tails is None
        and (block.gaps is None or (block.ranked and _sound_gaps(block)))
    )


def check_parents(blocks: Sequence[Block]) -> None:
    """Raise ValueError unless each determined block follows a free one, cell by cell."""
    for block in blocks:
        cells, leader = block.parent_cells, None
        if 0 <= block.parent < len(blocks):
            leader = blocks[block.parent]
        if leader is None and block.parent == -1 and cells is None:
            continue
        sound = (
            leader is not None
            and leader.parent == -1
            and leader.is_discrete
            and cells is not None
            and cells.dtype == np.int64
            and cells.shape == (leader.n_cells,)
            and bool(((cells >= 0) & (cells < block.n_cells)).all())
        )
        if not sound:
            raise ValueError(f"column {block.name!r} follows another one in no sound way")
