"""Ids made anew: of the form of the real ones, each once, and none of them real."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tabseed._random import RandomState, generator
from tabseed.errors import SchemaError
from tabseed.parameters import SEED, InstanceOf, checked
from tabseed.table.schema import Schema
from tabseed.table.table import Table

CLASSES = (  # characters that one position may have, the first that fits
    string.digits,
    string.ascii_uppercase,
    string.ascii_lowercase,
    string.digits + "abcdef",
    string.digits + "ABCDEF",
    string.digits + string.ascii_uppercase,
    string.digits + string.ascii_lowercase,
    string.digits + string.ascii_letters,
)
MOST_TRIES = 50  # rounds of drawing before ids get longer


@checked(synthetic=InstanceOf(Table), real=InstanceOf(Table), random_state=SEED)
def with_fresh_ids(synthetic: Table, real: Table, *, random_state: RandomState = 0) -> Table:
    """Return the synthetic rows with new ids for each column that is an id in the real ones.

    Ids have the lengths and at each position the sorts of characters of the real ones, with what
    is the same in all of them; whole numbers have their digits. None occurs twice, and none is a
    real one. Columns stand in the order of the real table. SchemaError for ids that are neither
    text nor whole numbers.
    """
    rng = generator(random_state)
    arrow, columns = synthetic.to_arrow(), []
    arrays: dict[str, Any] = {c.name: arrow[c.name] for c in synthetic.schema}
    for column in real.schema:
        if column.kind == "id":
            cells = real.to_arrow()[column.name]
            arrays[column.name] = _fresh(column.name, cells, len(synthetic), rng)
            columns.append(column)
        elif column.name in synthetic.schema:
            columns.append(synthetic.schema[column.name])
    table = pa.table({c.name: arrays[c.name] for c in columns}, metadata=arrow.schema.metadata)
    return Table.from_frame(table, schema=Schema(tuple(columns), synthetic.schema.rules))


def _fresh(name: str, cells: pa.ChunkedArray, n: int, rng: np.random.Generator) -> pa.Array:
    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    known = [value for value in cells.to_pylist() if value is not None]
    if pa.types.is_integer(kind):
        if any(value < 0 for value in known):
            raise SchemaError(f"column {name!r}: ids below 0 cannot be made anew; leave them out")
        made = [int(text) for text in fresh_texts(list(map(str, known)), n, rng, whole=True)]
        wide = max(made, default=0) > np.iinfo(kind.to_pandas_dtype()).max
        return pa.array(made, pa.int64() if wide else kind)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.array(fresh_texts(known, n, rng), kind)
    raise SchemaError(f"column {name!r}: ids of the type {kind} cannot be made anew")


def fresh_texts(
    known: Sequence[str], n: int, rng: np.random.Generator, *, whole: bool = False
) -> list[str]:
    """Return n different texts of the form of ``known``, none of which is one of them.

    ``whole``: they are whole numbers, so none of several digits begins with 0.
    """
    if not known:
        known = ["000000"]
    taken, made = set(known), dict[str, None]()
    numbers = all(text.isdigit() for text in known)
    lengths = Counter(map(len, known))
    forms = {m: _positions([t for t in known if len(t) == m], numbers) for m in lengths}
    sizes = sorted(lengths)
    shares = np.array([lengths[m] for m in sizes]) / len(known)
    longer = 0
    while len(made) < n:
        for _ in range(MOST_TRIES):
            for at, count in enumerate(rng.multinomial(n - len(made), shares)):
                positions = forms[sizes[at]] + [string.digits] * longer
                drawn = [rng.integers(0, len(c), count) for c in positions]
                for row in range(count):
                    text = "".join(c[d[row]] for c, d in zip(positions, drawn, strict=True))
                    if text not in taken and not (whole and len(text) > 1 and text[0] == "0"):
                        made[text] = None
            if len(made) >= n:
                break
        longer += 1  # so few are possible that most are taken
    return list(made)[:n]


def _positions(texts: Sequence[str], numbers: bool) -> list[str]:
    """Return the characters that each position may have."""
    found = []
    for place, seen in enumerate(zip(*texts, strict=True)):
        chars = set(seen)
        if len(chars) == 1 and len(texts) > 1:
            found.append(seen[0])
        elif numbers and place == 0 and len(texts[0]) > 1:
            found.append(string.digits[1:])
        else:
            found.append(next((c for c in CLASSES if chars <= set(c)), "".join(sorted(chars))))
    return found
