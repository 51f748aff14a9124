"""The columns of amex-default-prediction; each row is one statement of one customer."""

from __future__ import annotations

CUSTOMER, DATE, TARGET = "customer_ID", "S_2", "target"
TEXT = ("D_63", "D_64")  # categories as words; all other features are numbers
CATEGORIES = (
    *TEXT,
    *("B_30", "B_38", "D_66", "D_68", "D_114", "D_116", "D_117", "D_120", "D_126"),
)
FULL_ROWS, HELD_OUT_ROWS = 458_913, 50_000  # all customers; those of valuation, and of test
