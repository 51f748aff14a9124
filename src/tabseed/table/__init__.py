"""Tables: frames and files in and out, kinds of columns; no other package knows dataframes."""

from tabseed.table.columns import MISSING, UNSEEN
from tabseed.table.table import AS_FRAME, Frame, Table, table_to_learn

__all__ = ["AS_FRAME", "MISSING", "UNSEEN", "Frame", "Table", "table_to_learn"]
