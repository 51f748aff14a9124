"""Markdown documents: text that came from data is escaped, so that it stays text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tabseed.errors import printable

_INLINE = re.compile(r"([\\`*_\[\]|~&])")
_NUMBER = re.compile(r"^(\d+)([.)])(?=\s)")
_LEADING = re.compile(r"^([-+#=])")


def escaped(text: object) -> str:
    """Return text on one line in which no character has a meaning in Markdown or HTML."""
    line = _INLINE.sub(r"\\\1", printable(text)).replace("<", "&lt;").replace(">", "&gt;")
    # at its beginning a line could be a heading, a list or an item of a numbered list
    return _NUMBER.sub(r"\1\\\2", _LEADING.sub(r"\\\1", line))


def table(head: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """Return a table; its cells are escaped."""
    rows = [[escaped(cell) for cell in line] for line in (head, *lines)]
    rows.insert(1, ["---"] * len(head))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def bullets(lines: Sequence[object]) -> str:
    """Return a list; its lines are escaped."""
    return "\n".join(f"- {escaped(line)}" for line in lines)
