"""What stands for a missing cell in text."""

from __future__ import annotations

import re

MISSING_MARKS = frozenset(
    ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>", "NaT")
)
# These may be values of a text column; among numbers they can only mean "missing".
MISSING_AMONG_NUMBERS = frozenset(("None", "none", "?", "-", "."))
BLANKS = " \t\u00a0"  # around a cell that looks missing; a cell with a line end is a value
LOOKS_MISSING = f"[{BLANKS}]*({'|'.join(map(re.escape, sorted(MISSING_MARKS)))})[{BLANKS}]*"
