"""Numbers of people and codes are no quantities; quantities stay what they are."""

from __future__ import annotations

from fractions import Fraction
from math import exp, prod

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tabseed as ts
from helpers.schemas import column_of
from tabseed.table.kinds.codes import log_chance_of_no_repeat
from tabseed.table.kinds.column_names import numbering
from tabseed.table.schema import LEFT_OUT

RNG = np.random.default_rng(0)
ZIPS = RNG.choice(RNG.choice(np.arange(98001, 98200), 60, replace=False), 300)
LESIONS = RNG.choice([0, 300, 1124, 2113, 2205, 2208, 3111, 3205, 4300, 7111, 31110], 300)
PATIENTS = RNG.choice(np.arange(527_000, 535_000), 300)  # a few come back
VISITS = np.repeat(RNG.choice(10_000, 60, replace=False), 5)  # five visits of each patient
RECORDS = RNG.choice(np.arange(1_000_000, 10_000_000), 300, replace=False)
MAPPED = RNG.permutation(np.arange(1001, 1241))
ICD = RNG.choice([250.83, 276.0, 648.0, 8.0, 197.0, 250.01, 428.0, 414.0], 300)


@pytest.mark.parametrize(
    ("name", "values", "kind", "reason"),
    [
        *[
            (name, ZIPS, "categorical", "named like a code")
            for name in ("zip", "zipcode", "zipCode", "Zip Code", "ZIP_5", "PLZ", "code_postal")
        ],
        ("where", ZIPS, "ordinal", "numbers of 5 digits that repeat, with gaps"),
        ("lesion_1", LESIONS, "categorical", "11 distinct among 300"),
        ("diag_1", ICD, "categorical", "named like a code"),
        ("diag_1", [str(v) for v in ICD], "categorical", "named like a code"),
        ("zip", [f"{v - 97000:05d}" for v in ZIPS], "categorical", "named like a code"),
        ("icd9", RECORDS, "id", "all distinct, and named like a code"),
        ("hospital_number", PATIENTS, "id", "a number of people or their records"),
        ("Fallnummer", PATIENTS, "id", "a number of people"),
        ("numéro_de_dossier", PATIENTS, "id", "a number of people"),
        ("patient_id", VISITS, "id", "60 distinct among 300"),
        ("id", np.repeat(np.arange(1, 13), 2), "id", "12 distinct among 24"),
        ("Subject", np.repeat(np.arange(1, 21), 7), "id", "20 distinct among 140"),
        ("nr", VISITS, "ordinal", "named like a number"),
        ("Subject", VISITS, "id", "a number of people"),
        ("patient", [f"P{v:05d}" for v in VISITS], "id", "a number of people"),
        ("phone", RECORDS[:8], "id", "all distinct"),
        ("patient_id", [7, 9, 4, 1, 3, 2, 8, 6, 6, 4, 7, 9], "id", "8 distinct among 12"),
        ("record", RECORDS, "id", "distinct numbers of 7 digits, spread evenly"),
        ("a", MAPPED, "id", "all 240 values distinct, and so close (1001 to 1240)"),
        ("a", pa.array([*map(float, MAPPED), None]), "id", "all 240 values distinct"),
        ("admission_type_id", RNG.integers(1, 9, 300), "categorical", "named like an id, but 8"),
        ("house_number", RNG.integers(1, 60, 300), "ordinal", "named like a number"),
        ("t", np.repeat(np.arange(40), 6), "ordinal", "each of 40 values in about 6 rows"),
        ("zip_code_prefix", ZIPS, "categorical", "named like a code"),
        ("SEQN", PATIENTS, "id", "a number of people"),
        ("product_id", ZIPS, "categorical", "named like an id, but"),
        ("plz", RNG.choice(np.arange(10120, 10131), 300), "categorical", "named like a code"),
        ("School", ZIPS, "categorical", "named like a group"),
        ("district", RECORDS, "id", "all distinct, and named like a group"),
        ("statecode", ZIPS, "categorical", "named like a code"),
        ("schoolid", ZIPS, "categorical", "named like an id, but"),
        ("license_plate", [f"B-AB {i % 60}" for i in range(300)], "id", "a number of people"),
        ("N° dossier", PATIENTS, "id", "a number of people"),
        ("Diagnoseschlüssel", LESIONS, "categorical", "named like a code"),
        # quantities
        ("ICD therapy days", RNG.integers(0, 200, 300), "integer", "whole numbers"),
        ("postal_volume", RNG.integers(0, 2000, 300), "integer", "whole numbers"),
        ("MPG.city", RNG.integers(15, 46, 93), "integer", "whole numbers"),
        ("dx70", RNG.integers(0, 216, 197), "integer", "whole numbers"),
        ("diag", RNG.integers(8302, 11503, 2000), "integer", "whole numbers"),
        ("school", RNG.integers(3, 17, 300), "ordinal", "whole numbers"),
        ("iPhone", RNG.integers(300, 1500, 300), "integer", "whole numbers"),
        ("childNum", RNG.poisson(4, 300) + 1, "ordinal", "whole numbers"),
        ("births", np.repeat(RNG.choice(10**6, 600, replace=False), 2), "integer", "whole"),
        ("priceless", RNG.integers(0, 216, 197), "integer", "whole numbers"),
        ("age_at_diagnosis", RNG.integers(20, 90, 300), "integer", "whole numbers"),
        ("zip_population", RNG.integers(20, 90_000, 300), "integer", "whole numbers"),
        ("lesion", RNG.poisson(2, 300), "ordinal", "whole numbers"),
        ("phone", RNG.poisson(2, 300), "ordinal", "whole numbers"),
        ("day", np.repeat(np.arange(40), 6), "integer", "whole numbers"),
        ("platelets", RNG.integers(100_000, 1_000_000, 300), "integer", "whole numbers"),
        ("account_length", RECORDS % 10_000, "integer", "whole numbers"),
        ("number_of_rooms", RNG.integers(1, 60, 300), "integer", "whole numbers"),
        ("num_lab_procedures", RNG.integers(1, 130, 300), "integer", "whole numbers"),
        ("patients", RNG.integers(1, 5000, 300), "integer", "whole numbers"),
        ("phone_minutes", RNG.integers(1, 5000, 300), "integer", "whole numbers"),
        ("paid", RNG.choice(10**6, 300, replace=False), "integer", "whole numbers"),
        ("body_mass_index", RNG.choice(10**6, 300, replace=False), "integer", "whole numbers"),
        ("yr_built", np.arange(1900, 2020), "integer", "whole numbers"),
        ("price", RNG.lognormal(13, 0.5, 300).round(-3).astype(int), "integer", "whole numbers"),
        ("salary", RNG.integers(20, 99, 300) * 1000, "integer", "whole numbers"),
        ("x", np.arange(200.0), "integer", "stored as reals"),
        ("utm_north", RNG.choice(np.arange(5_300_000, 5_400_000), 300), "integer", "whole"),
    ],
)
def test_codes_and_quantities(name, values, kind, reason) -> None:
    column = column_of(name, values)
    assert (column.kind, reason in column.reason) == (kind, True), column
    assert column.reason.endswith("left out") == (kind in LEFT_OUT)


def test_only_codes_that_were_seen_are_drawn() -> None:
    real = pa.table({"zip": ZIPS, "where": ZIPS, "lesion": LESIONS, "x": RNG.normal(size=300)})
    rows = ts.GaussianCopula(random_state=0).fit(real).sample(1000)
    for name in ("zip", "where", "lesion"):
        assert set(rows[name].to_pylist()) <= set(real[name].to_pylist())


def test_a_code_is_a_quantity_if_the_user_says_so() -> None:
    assert column_of("zip", ZIPS, kinds={"zip": "integer"}).kind == "integer"
    assert (
        column_of("patient_id", VISITS, kinds={"patient_id": "categorical"}).kind == "categorical"
    )


@pytest.mark.parametrize(("n", "size"), [(1, 1), (2, 2), (5, 5), (20, 20), (20, 31), (3, 10**15)])
def test_the_chance_that_draws_do_not_repeat(n, size) -> None:
    truth = prod(Fraction(size - i, size) for i in range(n))
    np.testing.assert_allclose(exp(log_chance_of_no_repeat(n, size)), float(truth), rtol=1e-9)


def test_more_draws_than_values_repeat() -> None:
    assert log_chance_of_no_repeat(6, 5) == -np.inf


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(20, 200),
    seed=st.integers(0, 2**32),
    scale=st.floats(1, 1e5),
    law=st.sampled_from(["normal", "lognormal", "uniform", "poisson"]),
)
def test_independent_quantities_stay_numbers(n, seed, scale, law) -> None:
    """By chance alone about one in 10,000 does not (``CHANCE``); hypothesis draws 60."""
    rng = np.random.default_rng(seed)
    draw = {
        "normal": lambda: rng.normal(0, scale, n),
        "lognormal": lambda: rng.lognormal(np.log(scale), 1, n),
        "uniform": lambda: rng.uniform(0, scale, n),
        "poisson": lambda: rng.poisson(scale, n),
    }[law]
    column = column_of("x", draw().astype(int))
    assert column.kind in ("integer", "boolean", "ordinal"), column


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(30, 300),
    start=st.integers(-50, 10**6),
    seed=st.integers(0, 2**32),
    gap=st.floats(1, 1.3),
)
def test_numbers_handed_out_one_by_one_are_ids(n, start, seed, gap) -> None:
    rng = np.random.default_rng(seed)
    handed_out = start + rng.choice(int(n * gap), n, replace=False)
    assert column_of("x", handed_out).kind == "id"


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        *(("mrn_old", "person"), ("MRN (clinic)", "person"), ("ssn_last4", "person")),
        *(("iban2_hash", "person"), ("n_mrn", ""), ("mrn_count", ""), ("ssn_year", "time")),
    ],
)
def test_numbers_of_records_are_known_wherever_the_word_stands(name, meaning) -> None:
    assert numbering(name) == meaning
