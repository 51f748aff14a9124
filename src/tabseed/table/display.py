"""What tables, schemas and models look like where they are typed: some lines, or a bit of HTML.

Either fits a screen, whatever is shown: so many rows and columns, and texts cut. Either is escaped:
names and cells come from strangers' files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from tabseed.errors import printable

MAX_COLUMNS = 12  # columns of a table that are shown; the others are counted
MAX_ROWS = 5
MAX_NAME, MAX_CELL, MAX_TEXT = 24, 20, 60  # characters

_STYLE = "text-align:left;padding:0.1em 0.7em;white-space:pre"


def shortened(value: object, most: int) -> str:
    """Give a value as one line of at most ``most`` characters."""
    text = printable(" ".join(str(value).split()))
    return text if len(text) <= most else text[: most - 3] + "..."


def counted(n: int, noun: str) -> str:
    """Write a number of things: 1 row, 2 rows."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def and_more(shown: int, total: int) -> list[str]:
    """Count the columns that are not shown, if any."""
    return [f"... and {counted(total - shown, 'more column')}"] if total > shown else []


def as_text(headline: str, lines: Sequence[Sequence[str]], notes: Iterable[str] = ()) -> str:
    """Write lines of cells, all but the last cell aligned, below a headline."""
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)][:-1]
    body = [
        "  ".join([*(f"{c:{w}}" for c, w in zip(line[:-1], widths, strict=True)), line[-1]])
        for line in lines
    ]
    return "\n".join([headline, *(f"  {line}".rstrip() for line in (*body, *notes))])


def as_html(
    headline: str, header: Sequence[str], lines: Sequence[Sequence[str]], notes: Iterable[str] = ()
) -> str:
    """Write the same as a fragment of HTML, with a header of columns; all that is given is text."""
    head = "".join(f'<th style="{_STYLE}">{escape(cell)}</th>' for cell in header)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_STYLE}">{escape(cell)}</td>' for cell in line) + "</tr>"
        for line in lines
    )
    return (
        f"<div><p>{escape(headline)}</p><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>{''.join(f'<p>{escape(note)}</p>' for note in notes)}</div>"
    )
