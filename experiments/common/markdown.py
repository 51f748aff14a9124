"""Tables in Markdown, and the marks that enclose them in a README."""

from __future__ import annotations

from pathlib import Path


def table(head: list[str], lines: list[list[str]]) -> str:
    """Return a Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def fill(readme: Path, parts: dict[str, str]) -> None:
    """Write each part between its marks, ``<!-- NAME -->`` and ``<!-- /NAME -->``."""
    text = readme.read_text()
    for name, content in parts.items():
        before, rest = text.split(f"<!-- {name} -->")
        _, after = rest.split(f"<!-- /{name} -->")
        text = f"{before}<!-- {name} -->\n{content}\n<!-- /{name} -->{after}"
    readme.write_text(text)
