"""Reports as self-contained pages: no network, no script, names escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tabseed.errors import printable


def environment() -> Environment:
    """Give what fills the templates: everything is escaped, a name left out is an error."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parents[1]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"number": _number, "visible": printable, "cell": _cell}
    return made


def _cell(value: Any) -> str:
    """Give a cell of a table as people read it."""
    if value is None:
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    return f"{value:.3f}".replace("-0.000", "0.000")
