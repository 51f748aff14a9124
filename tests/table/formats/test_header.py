"""Files without a line of names are refused; numbers that are names are not."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.files import read
from tabseed.errors import FileError

RNG = np.random.default_rng(0)
IRIS = "\n".join(f"{v:.1f},{w:.1f},{'ab'[int(v > 5.5)]}" for v, w in RNG.normal(5.5, 1, (100, 2)))
CODES = "\n".join(f"{a},{b},{c}" for a, b, c in RNG.integers(0, 5, (60, 3)))


@pytest.mark.parametrize(
    "text",
    [
        "5.1,5.5,a\n" + IRIS,
        "4,2,3\n" + CODES,
        ("5.1\t5.5\ta\n" + IRIS.replace(",", "\t")).replace(".", ","),
    ],
)
def test_a_file_without_names_is_refused(tmp_path, text) -> None:
    with pytest.raises(FileError, match=r"t\.csv: its first line holds values, not names") as error:
        read(tmp_path, text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "length,width,kind\n" + IRIS,
        "x,5.1,a\n" + IRIS,
        "0,1,2\n" + CODES,
        "2,4,6\n" + CODES,
        "3,4,kind\n" + IRIS,
        "2019,2020,2022\n" + CODES,
        "400.5,401.7,404.1\n" + CODES,
        "a\n1\n2\n",
        "1\n1\n2\n",
        "a,b\na,b\nb,a\n",
    ],
)
def test_names_that_are_numbers_or_values_stay(tmp_path, text) -> None:
    assert ",".join(read(tmp_path, text).column_names) == text.split("\n")[0]
