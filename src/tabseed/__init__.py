"""Synthetic tables from small real ones, and an honest answer to whether they are any good.

Names are looked up when they are used: importing tabseed loads neither torch nor scikit-learn.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tabseed.errors import (
    FileError,
    LeakageError,
    MissingDependencyError,
    SchemaError,
    TabseedError,
    TooFewRowsError,
)

if TYPE_CHECKING:
    from tabseed.encode import TableEncoder
    from tabseed.evaluate import Evaluation, evaluate
    from tabseed.generators.base import Generator, load
    from tabseed.generators.ensemble import Training
    from tabseed.generators.resample import Resample
    from tabseed.generators.vaebgm import VAEBGM
    from tabseed.io import read_schema, read_table, write_schema, write_table
    from tabseed.metrics import DiscriminatorDivergence, MarginalDistance
    from tabseed.schema import Column, Schema
    from tabseed.table import Table

__version__ = version("tabseed")

_HOMES = {
    "Column": "tabseed.schema",
    "DiscriminatorDivergence": "tabseed.metrics",
    "Evaluation": "tabseed.evaluate",
    "Generator": "tabseed.generators.base",
    "MarginalDistance": "tabseed.metrics",
    "Resample": "tabseed.generators.resample",
    "Schema": "tabseed.schema",
    "Table": "tabseed.table",
    "TableEncoder": "tabseed.encode",
    "Training": "tabseed.generators.ensemble",
    "VAEBGM": "tabseed.generators.vaebgm",
    "evaluate": "tabseed.evaluate",
    "load": "tabseed.generators.base",
    "read_schema": "tabseed.io",
    "read_table": "tabseed.io",
    "write_schema": "tabseed.io",
    "write_table": "tabseed.io",
}

__all__ = [
    "Column",
    "DiscriminatorDivergence",
    "Evaluation",
    "FileError",
    "Generator",
    "LeakageError",
    "MarginalDistance",
    "MissingDependencyError",
    "Resample",
    "Schema",
    "SchemaError",
    "TabseedError",
    "Table",
    "TableEncoder",
    "TooFewRowsError",
    "Training",
    "VAEBGM",
    "__version__",
    "evaluate",
    "load",
    "read_schema",
    "read_table",
    "write_schema",
    "write_table",
]


class _Package(ModuleType):
    """Keep ``tabseed.evaluate`` the function: importing the module of that name would hide it."""

    @property
    def evaluate(self) -> Any:
        return __getattr__("evaluate")

    @evaluate.setter
    def evaluate(self, module: ModuleType) -> None:
        """Decline what the import system would put here."""


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tabseed' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
