"""How tables, schemas and models are displayed in a session: a few lines, or a piece of HTML.

Both fit a screen: the numbers of rows and columns are limited, and long texts are cut. Both are
escaped, because names and cells come from strangers' files.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from html import escape

MAX_COLUMNS = 12  # columns of a table that are shown; the others are only counted
MAX_ROWS = 5
MAX_NAME, MAX_CELL, MAX_TEXT = 24, 20, 60  # characters
MAX_QUOTED = 40  # characters of a cell in a message

_STYLE = "text-align:left;padding:0.1em 0.7em;white-space:pre"


def counted(n: int, noun: str) -> str:
    """Return a number of things in words: 1 row, 2 rows."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def kind_option(name: str, kind: str) -> str:
    """Return the option that sets the kind of a column, on one line and quoted for a shell.

    >>> print(kind_option("age", "integer"), kind_option("CRP (mg/l)", "continuous:gaps"))
    --kind age=integer --kind 'CRP (mg/l)=continuous:gaps'
    """
    said = f"{name}={kind}"
    if said.isprintable():
        return f"--kind {shlex.quote(said)}"
    # $'...' of bash and zsh: the only quotes in which such characters can be written on one line
    return f"--kind $'{''.join(map(_in_quotes, said))}'"


def _in_quotes(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def and_more(shown: int, total: int) -> list[str]:
    """Return a line that counts the columns not shown, if any."""
    return [f"... and {counted(total - shown, 'more column')}"] if total > shown else []


def as_text(headline: str, lines: Sequence[Sequence[str]], notes: Iterable[str] = ()) -> str:
    """Return lines of cells, aligned in all but the last column, below a headline."""
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)][:-1]
    body = [
        "  ".join([*(f"{c:{w}}" for c, w in zip(line[:-1], widths, strict=True)), line[-1]])
        for line in lines
    ]
    return "\n".join([headline, *(f"  {line}".rstrip() for line in (*body, *notes))])


def as_html(
    headline: str, header: Sequence[str], lines: Sequence[Sequence[str]], notes: Iterable[str] = ()
) -> str:
    """Return the same as a fragment of HTML with a header of columns; every argument is escaped."""
    head = "".join(f'<th style="{_STYLE}">{escape(cell)}</th>' for cell in header)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_STYLE}">{escape(cell)}</td>' for cell in line) + "</tr>"
        for line in lines
    )
    return (
        f"<div><p>{escape(headline)}</p><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>{''.join(f'<p>{escape(note)}</p>' for note in notes)}</div>"
    )
