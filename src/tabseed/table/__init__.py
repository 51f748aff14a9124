"""Tables: frames and files in and out, kinds of columns; no other package knows dataframes."""

from tabseed.table.columns import MISSING, UNSEEN
from tabseed.table.table import Frame, Table

__all__ = ["MISSING", "UNSEEN", "Frame", "Table"]
