"""Tables in Markdown."""

from __future__ import annotations


def table(head: list[str], lines: list[list[str]]) -> str:
    """One Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
