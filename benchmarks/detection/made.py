"""Made-up columns of the kinds that real tables have, as the texts of a CSV file.

Each has its true kind (as in ``tables.py``; ``person``: texts that may identify people) and, for
numbers and dates, the values that stand in it: reading them as others is wrong too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

N = 300
GIVEN = "Anna Peter Maria Jonas Sophie James Fatima Luca Emily Omar Chloe Paul".split()
FAMILY = "Schmidt Garcia Smith Rossi Weber Haddad Novak Lee Roy Dubois Costa Berg".split()


@dataclass(frozen=True)
class Made:
    """One column: its name, its true kind, the texts of its cells, the values they stand for."""

    name: str
    truth: str
    cells: list[str]
    values: np.ndarray | None = None  # numbers, or dates as datetime64[us]
    note: str = ""


def made() -> list[Made]:
    """Return all made-up columns, the same ones at every call."""
    rng = np.random.default_rng(16)
    return [*_dates(rng), *_codes(rng), *_people(rng), *_quantities(rng)]


def _dates(rng: np.random.Generator) -> list[Made]:
    start = np.datetime64("2019-01-01T00:00:00")
    times = start + rng.integers(0, 5 * 365 * 86400, N).astype("timedelta64[s]")
    days = times.astype("datetime64[D]")
    minutes = times.astype("datetime64[m]")

    def written(name: str, moments: np.ndarray, write: Callable) -> Made:
        cells = [write(t) for t in moments.astype("datetime64[s]").tolist()]
        return Made(name, "date", cells, moments.astype("datetime64[us]"))

    def pattern(text: str) -> Callable:
        return lambda t: t.strftime(text)

    return [
        written("iso", days, pattern("%Y-%m-%d")),
        written("iso time", times, pattern("%Y-%m-%dT%H:%M:%S")),
        written("iso zone Z", times, pattern("%Y-%m-%dT%H:%M:%SZ")),
        written("pandas zone", times, pattern("%Y-%m-%d %H:%M:%S+00:00")),
        written("iso minutes", minutes, pattern("%Y-%m-%dT%H:%M")),
        written("milliseconds", times, pattern("%Y-%m-%d %H:%M:%S.000")),
        written("US padded", days, pattern("%m/%d/%Y")),
        written("US Excel", days, lambda t: f"{t.month}/{t.day}/{t.year}"),
        written("US 12 hours", times, pattern("%m/%d/%Y %I:%M:%S %p")),
        written("British", days, pattern("%d/%m/%Y")),
        written("German", days, pattern("%d.%m.%Y")),
        written("German Excel", days, lambda t: f"{t.day}.{t.month}.{t.year}"),
        written("German minutes", minutes, pattern("%d.%m.%Y %H:%M")),
        written("Dutch", days, pattern("%d-%m-%Y")),
        written("short month", days, pattern("%d %b %Y")),
        written("month first", days, pattern("%b %d, %Y")),
        written("SAS", days, pattern("%d%b%Y")),
        written("Oracle", days, pattern("%d-%b-%Y")),
        written("admitted", days, pattern("%Y%m%d")),
        written("slashes", days, pattern("%Y/%m/%d")),
    ]


def _codes(rng: np.random.Generator) -> list[Made]:
    def some(values: list | np.ndarray, n: int = N) -> list[str]:
        return [str(v) for v in rng.choice(values, n)]

    zips = rng.choice(np.arange(10115, 14200), 45, replace=False)
    padded = [f"{z:05d}" for z in rng.choice(np.arange(1001, 9800), 45, replace=False)]
    lesions = [0, 300, 1124, 2113, 2124, 2205, 2208, 2209, 3111, 3205, 3209, 4205, 4300, 5400, 7111]
    icd = [
        "250.83",
        "276",
        "648",
        "8",
        "197",
        "250.01",
        "428",
        "414.01",
        "786",
        "V27",
        "E885",
        "38",
    ]
    patients = rng.choice(np.arange(527_000, 535_000), 285, replace=False)
    hospital = rng.permutation([*patients, *patients[:15]])
    subjects = np.repeat(rng.choice(np.arange(101, 900), 60, replace=False), 5)
    return [
        Made("zip", "code", some(zips)),
        Made("PLZ", "code", some(zips)),
        Made("Code postal", "code", some(padded)),
        Made("postcode", "code", some(["AB1 2CD", "SW1A 1AA", "EC2V 7HH", "M1 4BT"])),
        Made("region", "code", some(zips), note="zip codes, not named so"),
        Made("lesion_1", "code", some(lesions)),
        Made("diag_1", "code", some(icd)),
        Made("icd9", "code", some([v for v in icd if v[0].isdigit()])),
        Made("sic_code", "code", some(rng.choice(9999, 40, replace=False))),
        Made("store_id", "code", some(np.arange(1, 46))),
        Made("grade", "code", some([1, 2, 3])),
        Made("class", "code", some([1, 2])),
        Made("hospital_number", "row", [str(v) for v in hospital]),
        Made("Subject", "row", [str(v) for v in rng.permutation(subjects)]),
        Made("patient_id", "row", [f"P{v:04d}" for v in rng.permutation(subjects)]),
        Made("Fallnummer", "row", [str(v) for v in rng.choice(10**6, N, replace=False)]),
        Made("mrn", "row", [str(v) for v in rng.choice(np.arange(10**6, 10**7), N, replace=False)]),
        Made("record", "row", [str(v) for v in rng.permutation(np.arange(1001, 1001 + N))]),
        Made("ref", "row", [str(v) for v in rng.choice(np.arange(10**7, 10**8), N, replace=False)]),
        Made("account number", "row", some(rng.choice(10**8, 120, replace=False))),
        Made("phone", "row", [f"0170{v:07d}" for v in rng.choice(10**7, N, replace=False)]),
        Made("row", "row", [str(v) for v in range(1, N + 1)]),
    ]  # fmt: skip


def _people(rng: np.random.Generator) -> list[Made]:
    every = [f"{g} {f}" for g in GIVEN for f in FAMILY]
    names = [every[i] for i in rng.choice(len(every), 55, replace=False)]
    surnames = [f"{a}{b}" for a in FAMILY for b in ("", "er", "mann")]
    notes = [f"pain in the {w} since day {d}" for w in ("knee", "hip", "neck") for d in range(9)]
    long = [
        f"The patient was seen on day {d} and sent home without any treatment" for d in range(90)
    ]

    def person(name: str, values: list[str], n: int = N) -> Made:
        return Made(name, "person", [str(v) for v in rng.choice(values, n)])

    return [
        person("patient", names),
        person("name", names),
        person("who", names),
        person("Nachname", surnames),
        person("first_name", GIVEN),
        person("name", names[:20], 25),
        person("name", names[:10], 12),
        person("doctor", [f"Dr. {n}" for n in names[:8]]),
        person("email", [n.lower().replace(" ", ".") + "@mail.org" for n in names]),
        person("contact", [f"(212) 555-{i:04d}" for i in range(60)]),
        person("address", [f"{i} Oak Street" for i in range(60)]),
        person("Anschrift", [f"Lindenweg {i}" for i in range(60)]),
        person("ip", [f"10.0.{i}.{i}" for i in range(60)]),
        person("iban", [f"DE89 3704 0044 0532 01{i:02d} 00" for i in range(60)]),
        person("notes", notes),
        person("anamnesis", long),
        Made("name", "class", [str(v) for v in rng.choice(["Adelie", "Gentoo", "Chinstrap"], N)]),
        Made("product_name", "class", [f"Part {c} Basic" for c in rng.choice(list("ABCDEF"), N)]),
        Made("city", "class", [str(v) for v in rng.choice(["New York", "San Jose", "Paris"], N)]),
        Made("country", "class", [str(v) for v in rng.choice(["US", "NA", "DE", "FR"], N)]),
        Made("patient_type", "class", [str(v) for v in rng.choice(["Elective", "Urgent"], N)]),
        Made("comment", "class", [str(v) for v in rng.choice(["ok", "not ok", "repeat"], N)]),
        Made("interval", "class", [str(v) for v in rng.choice(["[0-10)", "[10-20)"], N)]),
    ]  # fmt: skip


def _quantities(rng: np.random.Generator) -> list[Made]:
    def numbers(
        name: str, values: np.ndarray, write: Callable = str, truth: str = "quantity"
    ) -> Made:
        return Made(name, truth, [write(v) for v in values.tolist()], values.astype(float))

    income = rng.lognormal(10, 0.5, N).round()
    pressure = rng.normal(120, 15, N).round(1)
    typo = [str(v) for v in pressure]
    typo[17] = "12O"
    censored = [f"<{90}" if v < 105 else str(v) for v in pressure]
    coded = np.where(np.arange(N) < 6, 999999, income)
    return [
        numbers("income", income.astype(int)),
        numbers("income_coded", coded.astype(int)),
        numbers("price", (rng.lognormal(13, 0.5, N) / 1000).round().astype(int) * 1000),
        numbers("salary", rng.integers(20, 99, N) * 1000),
        numbers("population", rng.lognormal(11, 1, N).astype(int)),
        numbers("Age", rng.integers(18, 95, N)),
        numbers("year", rng.integers(1900, 2021, N)),
        numbers("yr_built", np.arange(1700, 1700 + N)),
        numbers("number_of_rooms", rng.poisson(30, N)),
        numbers("num_children", rng.poisson(1.5, N)),
        numbers("account_length", rng.integers(1, 240, N)),
        numbers("phone_minutes", rng.integers(0, 5000, N)),
        numbers("patients", rng.integers(10, 9000, N)),
        numbers("body_mass_index", rng.integers(160, 4500, N)),
        numbers("width", rng.choice(10**6, N, replace=False)),
        numbers("utm_north", rng.choice(np.arange(5_300_000, 5_400_000), N)),
        numbers("steps", rng.integers(0, 25_000, N)),
        numbers("cents", rng.integers(100, 9999, N) / 100),
        numbers("thousands", rng.integers(1000, 99_999, N), lambda v: f"{v:,}"),
        numbers("percent", rng.normal(60, 9, N).round(1), lambda v: f"{v}%"),
        numbers("signed", rng.normal(0, 9, N).round(1), lambda v: f"{v:+}"),
        Made("typo", "bad cell", typo, note="one cell is 12O"),
        Made("censored", "bad cell", censored, note="<90 in about a sixth of the cells"),
    ]
