"""Tables, schemas and models on a screen: short, with long texts cut, escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest
from sklearn.base import clone

import tabseed as ts
from tabseed.errors import shortened
from tabseed.table import Table

HOSTILE = "<b>=1+1</b>\x1b[31m\n"


def wide() -> Table:
    cells = ["long text " * 500, HOSTILE, None] * 4
    return Table.from_frame(pa.table({f"{HOSTILE}{j}": cells for j in range(500)}))


class Tags(HTMLParser):
    """Collect tags and texts; a tag that is not closed in order is an error."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.texts: list[str] = []
        self.feed(fragment)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_table_shows_its_shape_kinds_and_first_rows() -> None:
    table = Table.from_frame(pa.table({"x": [1.5, None, 2.5], "level": ["a", "b", "a"]}))
    assert repr(table).splitlines() == [
        "Table of 3 rows and 2 columns",
        "  x      continuous   1.5, None, 2.5",
        "  level  categorical  a, b, a",
    ]
    tags = Tags(table._repr_html_())
    assert tags.seen.count("tr") == 1 + 3
    assert tags.texts[0] == "Table of 3 rows and 2 columns"
    assert tags.texts[1:3] == ["x\ncontinuous", "level\ncategorical"]
    assert tags.texts[3:] == ["1.5", "a", "None", "b", "2.5", "a"]


def test_a_schema_shows_kinds_and_reasons() -> None:
    schema = Table.from_frame(pa.table({"id": range(30), "x": np.arange(30) / 8})).schema
    assert repr(schema).splitlines() == [
        "Schema of 2 columns",
        "  id  id          counts the rows one by one: left out",
        "  x   continuous  real numbers, 30 distinct",
    ]
    assert "counts the rows one by one: left out" in Tags(schema._repr_html_()).texts


@pytest.mark.parametrize("thing", [wide(), wide().schema, wide().take([])])
def test_any_table_fits_a_screen(thing) -> None:
    lines = repr(thing).splitlines()
    assert len(lines) <= 20 and all(len(line) <= 160 for line in lines)
    assert lines[-1] == "  ... and 488 more columns"
    assert all(line.isprintable() for line in lines)
    fragment = thing._repr_html_()
    tags = Tags(fragment)
    assert set(tags.seen) <= {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}
    assert "<b>=1+1</b>" in "".join(tags.texts) and "<b>" not in fragment
    assert len(fragment) < 20_000


def test_no_rows_no_columns() -> None:
    empty = Table.from_frame(pa.table({"a": pa.array([], pa.float64())}))
    assert repr(empty).splitlines()[0] == "Table of 0 rows and 1 column"
    Tags(empty._repr_html_())
    assert repr(ts.Schema(())) == "Schema of 0 columns"


def test_a_generator_shows_parameters_and_what_it_learned() -> None:
    frame = pa.table({HOSTILE: ["a", "b"] * 20, "same": ["u", "v"] * 20, "x": np.arange(40) / 8})
    model = ts.SequentialTrees(n_orders=2, random_state=0)
    before = Tags(model._repr_html_())
    assert before.texts[0] == "SequentialTrees, not fitted"
    cells = dict(zip(before.texts[3::2], before.texts[4::2], strict=True))
    assert cells == {name: repr(value) for name, value in model.get_params().items()}
    model.fit(frame)
    fragment = model._repr_html_()
    after = Tags(fragment)
    assert after.texts[0] == "SequentialTrees, fitted to 40 rows and 3 columns"
    assert len(model.summary()) > 0 and "<b>" not in fragment
    assert set(after.texts) >= {shortened(line, 200) for line in model.summary()}
    # a notebook shows the bundle; the text is scikit-learn's, and that of a clone
    assert model._repr_mimebundle_() == {"text/plain": repr(model), "text/html": fragment}
    assert repr(model) == repr(clone(model))
    assert re.match(r"SequentialTrees\(n_orders=2", repr(model))
