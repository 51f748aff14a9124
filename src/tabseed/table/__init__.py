"""Tables: frames and files in and out, kinds of columns; no other room knows dataframes."""

from tabseed.table.table import MISSING, UNSEEN, Table

__all__ = ["MISSING", "UNSEEN", "Table"]
