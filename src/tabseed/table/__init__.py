"""Tables: frames and files in and out, kinds of columns; no other room knows dataframes."""

from typing import TYPE_CHECKING

from tabseed.table.columns import MISSING, UNSEEN
from tabseed.table.table import Table

if TYPE_CHECKING:
    from tabseed.table.table import Frame as Frame  # a type, for annotations only

__all__ = ["MISSING", "UNSEEN", "Table"]
