"""Schemas describe columns, with keys of their own and with those of SDV."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.schemas import one_line
from tabseed.errors import SchemaError
from tabseed.table.schema import KINDS, Column, Schema

CATEGORIES = st.lists(
    st.one_of(st.text(max_size=4), st.integers(), st.floats(allow_nan=False)),
    max_size=5,
    unique=True,
)

COLUMNS = st.builds(
    Column,
    st.text(max_size=8),
    st.sampled_from(KINDS),
    st.text(max_size=8),
    datetime_format=st.sampled_from([None, "%d/%m/%Y", "%Y-%m-%d %H:%M:%S"]),
) | st.builds(
    Column,
    st.text(max_size=8),
    st.sampled_from(["categorical", "ordinal"]),
    categories=CATEGORIES.map(tuple),
)


@given(st.lists(COLUMNS, min_size=1, max_size=5, unique_by=lambda c: c.name))
def test_schema_survives_json(columns) -> None:
    schema = Schema(tuple(columns))
    again = Schema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again == schema
    types = [[type(v) for v in c.categories] for c in schema]
    assert [[type(v) for v in c.categories] for c in again] == types


SDV_COLUMNS = {
    "age": {"sdtype": "numerical", "computer_representation": "UInt8"},
    "height": {"sdtype": "numerical", "computer_representation": "Float"},
    "weight": {"sdtype": "numerical"},
    "sex": {"sdtype": "categorical"},
    "grade": {"sdtype": "categorical", "order": ["low", "high"]},
    "size": {"sdtype": "categorical", "order_by": "alphabetical"},
    "stage": {"sdtype": "ordinal"},
    "ok": {"sdtype": "boolean"},
    "seen": {"sdtype": "datetime", "datetime_format": "%Y-%m-%d"},
    "notes": {"sdtype": "text"},
    "mail": {"sdtype": "email", "pii": True},
    "key": {"sdtype": "id", "regex_format": "[0-9]{4}"},
}

SDV_KINDS = [
    *("integer", "continuous", "continuous", "categorical", "ordinal", "ordinal", "ordinal"),
    *("boolean", "datetime", "text", "text", "id"),
]


@pytest.mark.parametrize(
    "metadata",
    [
        {"METADATA_SPEC_VERSION": "SINGLE_TABLE_V1", "columns": SDV_COLUMNS, "primary_key": "key"},
        {
            "METADATA_SPEC_VERSION": "V1",
            "tables": {"t": {"columns": SDV_COLUMNS, "primary_key": "key"}},
            "relationships": [],
        },
    ],
)
def test_sdv_metadata_is_read(metadata) -> None:
    schema = Schema.from_dict(metadata)
    assert [c.kind for c in schema] == SDV_KINDS
    assert schema["grade"].categories == ("low", "high")
    assert schema["seen"].datetime_format == "%Y-%m-%d"
    assert "'email'" in schema["mail"].reason  # left out, and the reason says so
    assert [c.name for c in schema.left_out] == ["notes", "mail", "key"]


def test_our_json_has_the_keys_of_sdv() -> None:
    schema = Schema(
        (
            Column("n", "integer"),
            Column("x", "continuous"),
            Column("s", "ordinal", categories=("S", "M")),
            Column("c", "categorical", categories=("u", "v")),
            Column("b", "boolean"),
            Column("d", "datetime", datetime_format="%d.%m.%Y"),
            Column("k", "id"),
        )
    )
    data = schema.to_dict()
    sdv = {n: {k: v for k, v in e.items() if k != "tabseed"} for n, e in data["columns"].items()}
    assert sdv == {
        "n": {"sdtype": "numerical", "computer_representation": "Int64"},
        "x": {"sdtype": "numerical", "computer_representation": "Float"},
        "s": {"sdtype": "categorical", "order": ["S", "M"]},
        "c": {"sdtype": "categorical"},
        "b": {"sdtype": "boolean"},
        "d": {"sdtype": "datetime", "datetime_format": "%d.%m.%Y"},
        "k": {"sdtype": "id"},
    }
    assert data["primary_key"] == "k"
    del data["primary_key"]
    kinds = [c.kind for c in Schema.from_dict({**data, "columns": sdv})]
    assert kinds == [c.kind for c in schema]


def test_a_primary_key_is_an_id_unless_tabseed_wrote_otherwise() -> None:
    columns = {"k": {"sdtype": "numerical"}, "x": {"sdtype": "numerical"}}
    schema = Schema.from_dict({"columns": columns, "primary_key": "k"})
    assert [c.kind for c in schema] == ["id", "continuous"]
    columns["k"]["tabseed"] = {"kind": "integer"}
    assert Schema.from_dict({"columns": columns, "primary_key": "k"})["k"].kind == "integer"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "must be a JSON object"),
        ({}, "no 'columns'"),
        ({"columns": []}, "no 'columns'"),
        ({"tables": {"a": {}, "b": {}}}, "several tables"),
        ({"tables": {"a": None}}, "no 'columns'"),
        ({"columns": {"a": 1}}, "column 'a'"),
        ({"columns": {"a": {}}}, "column 'a' has no 'sdtype'"),
        ({"columns": {"a": {"tabseed": 1}}}, "column 'a'"),
        ({"columns": {"a": {"tabseed": {"kind": "colour"}}}}, "column 'a': kind 'colour'"),
        ({"columns": {"a": {"tabseed": {"kind": ["id"]}}}}, "column 'a': kind ['id']"),
        ({"columns": {"a": {"sdtype": "categorical", "order": "abc"}}}, "column 'a': categories"),
        ({"columns": {"a": {"sdtype": "categorical", "order": [[1]]}}}, "column 'a': category [1]"),
        (
            {"columns": {"a": {"sdtype": "categorical", "order": [None]}}},
            "column 'a': category None",
        ),
        ({"columns": {"a": {"sdtype": "categorical", "order": ["x", "x"]}}}, "'x' occurs twice"),
        ({"columns": {"a": {"sdtype": "datetime", "datetime_format": 5}}}, "column 'a': 5 is not"),
        ({"columns": {"a": {"sdtype": "datetime", "datetime_format": ""}}}, "column 'a': ''"),
        ({"columns": {"a": {"sdtype": "datetime", "datetime_format": "%Q"}}}, "column 'a': '%Q'"),
        ({"columns": {"a": {"sdtype": "datetime", "datetime_format": "%Y%"}}}, "column 'a': '%Y%'"),
        ({"columns": {"a": {"sdtype": "id"}}, "primary_key": "b"}, "primary key 'b'"),
    ],
)
def test_bad_schemas_get_one_line(data, message) -> None:
    with pytest.raises(SchemaError) as caught:
        Schema.from_dict(data)
    assert one_line(str(caught.value), message)


def test_names_are_unique_and_similar_ones_are_suggested() -> None:
    with pytest.raises(SchemaError, match=r"'a' occurs twice \(columns 1 and 3\)"):
        Schema((Column("a", "id"), Column("b", "id"), Column("a", "text")))
    schema = Schema((Column("Alter", "integer"), Column("Größe", "continuous")))
    with pytest.raises(SchemaError, match=r"no column 'Grösse' in the table; did you mean 'Größe'"):
        schema["Grösse"]
    with pytest.raises(
        SchemaError, match=r"no column 'zzz' in the table; it has 'Alter', 'Größe'$"
    ):
        schema["zzz"]


def test_changed_copies_leave_the_schema_alone() -> None:
    schema = Schema((Column("a", "integer"), Column("b", "text"), Column("c", "id")))
    changed = schema.with_column(Column("b", "categorical", "because"))
    assert [c.kind for c in changed] == ["integer", "categorical", "id"]
    assert changed["b"].reason == "because"
    assert [c.kind for c in schema] == ["integer", "text", "id"]
    assert changed.modelled.names == ["a", "b"]


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("G", "g"),
        ("AGE", "age"),
        ("blood pressure", "Blood_Pressure"),
        ("bloodpresure", "Blood_Pressure"),
        ("STRASSE", "Straße"),
        ("crp mg/l", "CRP (mg/l)"),
        ("##", "#"),
        ("x", None),
    ],
)
def test_names_of_other_case_and_marks_are_suggested(asked, near) -> None:
    names = ("#", "g", "age", "Blood_Pressure", "Straße", "CRP (mg/l)")
    schema = Schema(tuple(Column(name, "integer") for name in names))
    with pytest.raises(SchemaError) as error:
        schema[asked]
    hint = "; it has '#', 'g'," if near is None else f"; did you mean {near!r}?"
    assert str(error.value).startswith(f"no column {asked!r} in the table{hint}")
