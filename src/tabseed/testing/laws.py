"""Laws are found by their names: every check in a module of laws is one of them."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

Check = Callable[[Any], None]


def laws_in(module: ModuleType) -> tuple[Check, ...]:
    """Return the functions ``check_...`` that a module defines, in the order of its text."""
    return tuple(
        value
        for name, value in vars(module).items()
        if name.startswith("check_") and value.__module__ == module.__name__
    )
