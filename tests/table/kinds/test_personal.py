"""Texts that may identify people are left out; categories with words in their names stay."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tabseed as ts
from helpers.schemas import column_of
from tabseed.cli import app
from tabseed.cli.console import run

GIVEN = ["Anna", "Peter", "María", "Jürgen", "Sophie", "James", "Fatima", "Luca", "Emily", "Omar"]
FAMILY = [
    "Schmidt",
    "García",
    "Smith",
    "Rossi",
    "Müller",
    "O'Neil",
    "Haddad",
    "Novák",
    "Lee",
    "Roy",
]
STREETS = ["Hauptstraße", "Lindenweg", "Rue de la Paix", "Calle Mayor", "Via Roma"]
rng = np.random.default_rng(0)


def spread(values, n: int) -> list[str]:
    """Return ``n`` values in random order, each of ``values`` at least once."""
    rest = rng.choice(len(values), n - len(values))
    return [values[i] for i in rng.permutation([*range(len(values)), *rest])]


def people(d: int) -> list[str]:
    every = [f"{g} {f}" for g in GIVEN for f in FAMILY]
    return [every[i] for i in rng.choice(100, d, replace=False)]


ASIAN = ["Wei Zhang", "Yuki Tanaka", "Hiro Sato", "Mei Chen", "Xin Wang", "Priya Singh"]
UUIDS = [f"{i:08x}-0000-4000-8000-00000000000a" for i in range(60)]
OAKS = [f"Quercus {w}" for w in ("robur", "alba", "rubra", "ilex", "suber")]
PHONES = [f"+49 170 {i:07d}" for i in range(1_000_000, 1_000_030)]
NOTES = [f"pain on the {side} side since day {d}" for side in ("left", "right") for d in range(10)]
SENTENCES = [f"The patient came in with a complaint number {i} today" for i in range(40)]
ROAD = [f"{street} {k}" for street in STREETS for k in range(1, 11)]
ENGLISH_ROAD = [f"{k} Oak Street, Springfield" for k in range(1, 31)]


@pytest.mark.parametrize(
    ("name", "values", "kind", "reason"),
    [
        ("patient", spread(people(55), 240), "text", "names of people, 55 among 240"),
        ("name", spread(people(55), 240), "text", "names of people"),
        ("who", spread(people(55), 240), "text", "names of people"),
        ("name", spread(people(20), 25), "text", "names of people, 20 among 25"),
        ("name", spread(people(8), 12), "text", "names of people, 8 among 12"),
        ("Name", [f"{b}, {a}" for a, b in (p.split(" ") for p in people(30))], "text", "names of"),
        ("name", [f"Dr. {p}" for p in spread(people(30), 90)], "text", "names of people"),
        ("name", [p.lower() for p in spread(people(30), 90)], "text", "names of people"),
        ("name", [p.upper() for p in spread(people(30), 90)], "text", "names of people"),
        ("doctor", spread(people(6), 300), "text", "names of people, 6 among 300"),
        ("Arzt", spread([f"Dr. {f}" for f in FAMILY[:5]], 99), "text", "names of people, 5"),
        ("nachname", spread(FAMILY, 200), "text", "names of people"),
        ("last_name", spread(FAMILY, 200), "text", "names of people"),
        ("Vorname", spread(GIVEN, 200), "text", "names of people"),
        ("contact", [f"{p.split()[0].lower()}@mail.org" for p in people(20)] * 3, "id", "e-mail"),
        ("x", spread(PHONES, 90), "id", "phone numbers"),
        ("x", [f"(212) 555-{i:04d}" for i in range(30)] * 2, "id", "phone numbers"),
        ("x", [f"{i:03d}-12-{i:04d}" for i in range(100, 130)] * 2, "id", "social security"),
        ("x", [f"DE89 3704 0044 0532 0130 {i:02d}" for i in range(30)] * 2, "id", "IBAN"),
        ("x", [f"10.0.{i}.{i}" for i in range(30)] * 2, "id", "IP addresses"),
        ("x", [f"https://a.org/{i}" for i in range(30)] * 2, "id", "links"),
        ("x", [f"52.{i}0{i}1, 13.4{i}05" for i in range(10, 40)] * 2, "id", "coordinates"),
        ("x", spread(ROAD, 150), "id", "postal addresses"),
        ("address", spread(ENGLISH_ROAD, 90), "id", "postal addresses"),
        ("notes", spread(NOTES, 120), "text", "free text by its name"),
        ("Bemerkung", spread(NOTES[:12], 40), "text", "free text by its name"),
        ("x", spread(SENTENCES, 120), "text", "more than 6 words in 120 of 120 cells"),
        ("job", [*spread([f"job{i}" for i in range(60)], 70), *["none"] * 60], "text", "once or"),
        ("Name", spread(ASIAN, 240), "text", "names of people"),
        ("patient_name", spread([chr(0x5C71 + i) + "田" for i in range(12)], 240), "text", "names"),
        ("surname", spread([f.lower() for f in FAMILY], 200), "text", "names of people"),
        ("username", spread([f"user{i}" for i in range(60)], 240), "id", "by its name a number"),
        ("patient", spread([f"Patient {i}" for i in range(60)], 240), "id", "by its name"),
        ("street", spread([f"{f} Street" for f in FAMILY], 30), "text", "addresses by its name"),
        ("x", spread(UUIDS, 90), "id", "UUID"),
        # categories
        ("state", spread(["Virginia", "West Virginia", "New York", "Ohio"], 99), "categorical", ""),
        ("brand", spread(["Ralph Lauren", "Calvin Klein", "Gap"], 99), "categorical", "3 "),
        ("job", spread(["Sales Manager", "Data Engineer", "Sales Rep"], 99), "categorical", ""),
        ("species", spread(OAKS, 99), "categorical", "5 "),
        ("where", [f"state {w}" for w in range(50)] * 2, "categorical", "50 distinct"),
        ("version", spread(["1.2.3.4", "1.2.3.5", "2.0.0.1"], 99), "categorical", "3 distinct"),
        ("doctor", spread([f"Dr. {c}" for c in "ABCDE"], 99), "categorical", "5 distinct"),
        ("email_opt_in", spread(["yes", "no"], 99), "categorical", "2 distinct"),
        ("name", spread(["Adelie", "Gentoo", "Chinstrap"], 300), "categorical", "3 distinct"),
        ("species_name", spread(["Adelie", "Gentoo", "Chinstrap"], 300), "categorical", "3 "),
        ("product name", spread([f"Part {c} Basic" for c in "ABCDEFGH"], 200), "categorical", "8 "),
        ("name", spread([f"chevrolet {c}" for c in "abcdefghijklmnop"], 300), "categorical", "16 "),
        ("city", spread(["New York", "San Jose", "Paris", "Rome"], 99), "categorical", "4 "),
        ("patient", spread(["in", "out"], 60), "categorical", "2 distinct"),
        ("patient_type", spread(["Elective", "Urgent", "Other"], 60), "categorical", "3 "),
        ("comment", spread(["ok", "not ok", "repeat"], 60), "categorical", "3 distinct"),
        ("site", spread(["10 Main Street", "2 Oak Road"], 90), "categorical", "2 distinct"),
        ("phone", spread(["yes", "no"], 60), "categorical", "2 distinct"),
        ("answer", spread([SENTENCES[i] for i in range(5)], 200), "categorical", "5 distinct"),
        ("score", spread(["1-2", "3-4", "5-6", "7-8", "9-10"], 60), "categorical", "5 distinct"),
        ("interval", spread(["[0-10)", "[10-20)", "[20-30)", "[30-40)"], 60), "categorical", ""),
    ],
)  # fmt: skip
def test_personal_texts_and_categories(name, values, kind, reason) -> None:
    column = column_of(name, values)
    assert (column.kind, reason in column.reason) == (kind, True), column
    if kind != "categorical":
        assert "may identify people: " in column.reason or "number of people" in column.reason
        assert column.reason.endswith(": left out")
    stored = column_of(name, pa.array(values).dictionary_encode())
    assert stored.kind == (kind if "once or" not in reason else "categorical")


def test_the_command_says_why_and_brings_names_back(tmp_path, capsys) -> None:
    table, out = tmp_path / "people.csv", tmp_path / "out.csv"
    names = spread(people(20), 60)
    lines = [f"{name},{i % 7}.5" for i, name in enumerate(names)]
    table.write_text("\n".join(["patient,dose", *lines]), encoding="utf-8")
    assert run(app, ["synth", str(table), "-o", str(out)]) == 0
    said = " ".join("".join(capsys.readouterr()).split())
    assert "column 'patient': may identify people: names of people, 20 among 60" in said
    assert "--kind NAME=categorical" in said
    assert out.read_text().splitlines()[0] == "dose"
    again = ["--force", "--kind", "patient=categorical"]
    assert run(app, ["synth", str(table), "-o", str(out), *again]) == 0
    assert set(ts.read_table(out)["patient"].to_pylist()) <= set(names)


@settings(max_examples=50, deadline=None)
@given(
    d=st.integers(5, 60),
    repeats=st.integers(1, 6),
    seed=st.integers(0, 2**32),
    form=st.sampled_from(["{g} {f}", "{f}, {g}", "Dr. {g} {f}", "{g} M. {f}"]),
    name=st.sampled_from(["name", "patient", "Full Name", "teacher", "x", "nombre"]),
)
def test_full_names_never_come_out(d, repeats, seed, form, name) -> None:
    rng = np.random.default_rng(seed)
    pick = rng.choice(100, d, replace=False)
    names = [form.format(g=GIVEN[i // 10], f=FAMILY[i % 10]) for i in pick]
    assert column_of(name, names * repeats).kind in ("text", "id")


@settings(max_examples=50, deadline=None)
@given(
    words=st.lists(st.text("bcdfgh", min_size=3), min_size=2, max_size=12, unique=True),
    name=st.sampled_from(["x", "name", "city", "contact", "note", "text", "patient group"]),
)  # fmt: skip
def test_few_frequent_words_stay_categories(words, name) -> None:
    assert column_of(name, words * 10).kind == "categorical"


def test_a_number_of_people_is_an_id_in_a_category_column_too() -> None:
    numbers = pa.array(np.repeat(np.arange(60) * 7, 3)).dictionary_encode()
    assert column_of("patient_id", numbers).kind == "id"
    assert column_of("zip", numbers).kind == "categorical"


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("doctor", ["Dr. Müller", "Dr. Weber", "Dr. Smith"], "text"),
        ("Arzt", ["Schmidt", "Meyer"], "text"),
        ("name", ["Anna Müller", "Ben Weber", "Carla Rossi"], "text"),
        ("doctor", ["yes", "no"], "categorical"),
        ("doctor", ["A", "B", "C"], "categorical"),
        ("name", ["Victoria", "Maria"], "categorical"),  # lakes, ships, storms
        ("city", ["San Jose", "Santa Maria"], "categorical"),
        ("agent", ["propofol", "sevoflurane"], "categorical"),
    ],
)
def test_few_names_need_the_column_to_say_so(name, values, kind) -> None:
    assert column_of(name, spread(values, 60)).kind == kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([f"chart {i}" for i in range(60)], "text"),
        ([f"c{i}" for i in range(60)], "id"),
        ([7 * i + 100_000 for i in range(60)], "id"),
        ([f"c{i % 40}" for i in range(60)], "text"),
        ([f"c{i % 30}" for i in range(60)], "categorical"),
        ([7 * (i % 12) for i in range(60)], "categorical"),
    ],
)
def test_categories_of_one_row_each_are_left_out(values, kind) -> None:
    column = column_of("x", pa.array(values).dictionary_encode())
    assert column.kind == kind
    kept = column_of("x", pa.array(values).dictionary_encode(), kinds={"x": "categorical"})
    assert kept.kind == "categorical" and len(kept.categories) == len(set(values))
