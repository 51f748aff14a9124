"""Which cells of a delimited text stand in quotes: a quoted "NA" may be a country, not a gap.

The csv module drops the quotes, so a quoted cell that looks missing gets :data:`TAG` in front of
its text before that module sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tabseed.table.notation.missing import BLANKS, LOOKS_MISSING, MISSING_MARKS

TAG = "\0"  # the reader refuses files with NUL, so it stands for nothing else

_INSIDE = r'[^"]*(?:""[^"]*)*'  # the text of a quoted cell: quotes are doubled


class TaggedLines:
    """The lines of a text for ``csv.reader``, with :data:`TAG` where quotes tell something.

    Whoever reads records sets ``fresh`` after each: the next line then begins a record, not
    somewhere inside a quoted cell. ``nul`` is the number of the first line with NUL, or 0.
    """

    def __init__(self, lines: Iterable[str], separator: str) -> None:
        self._lines = lines
        cut = re.escape(separator)
        self._candidate = re.compile(rf'(?:^|{cut})"{LOOKS_MISSING}"(?:{cut}|[\r\n]|$)')
        self._cell = re.compile(rf'(^|{cut})("{_INSIDE}"|"{_INSIDE}$|[^{cut}\r\n]*)')
        self._rest = re.compile(_INSIDE + '"')
        self.fresh = True
        self.tagged = False
        self.nul = 0

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(self._lines, start=1):
            if TAG in line:
                self.nul = self.nul or number
            if '"' in line and self._candidate.search(line):
                line = self._tag(line)
            self.fresh = False
            yield line

    def _tag(self, line: str) -> str:
        begin = 0
        if not self.fresh:
            rest = self._rest.match(line)
            if rest is None:
                return line  # all of it is inside one cell
            begin = rest.end()
        return line[:begin] + self._cell.sub(self._tagged_cell, line[begin:])

    def _tagged_cell(self, match: re.Match[str]) -> str:
        before, cell = match.groups()
        if (
            len(cell) > 1
            and cell[0] == cell[-1] == '"'
            and cell[1:-1].strip(BLANKS) in MISSING_MARKS
        ):
            self.tagged = True
            return f'{before}"{TAG}{cell[1:]}'
        return before + cell


class Quoting:
    """What the quotes of a file tell, by its header and its first lines.

    Some writers quote only what needs it, some all text, some everything. Only where others of
    their kind have no quotes do the quotes of a cell that looks missing say that it is a value.
    """

    def __init__(self, lines: Iterable[str], separator: str) -> None:
        cut = re.escape(separator)
        cell = re.compile(rf'(?:^|{cut})("{_INSIDE}"|[^{cut}\r\n]*)')
        rows = [cell.findall(text.rstrip("\r\n")) for text in _records(lines)]
        header, rows = (rows[0], rows[1:]) if rows else ([], [])
        self._minimal = any(not name.startswith('"') for name in header)
        fitting = [row for row in rows if len(row) == len(header)]
        self._alone = len(header) == 1
        self._bare = [
            any(not row[i].startswith('"') for row in fitting) for i in range(len(header))
        ]

    def means_value(self, column: int, text: str) -> bool:
        """Return whether a quoted cell is a value although its text looks missing."""
        if text.strip(BLANKS):
            return self._minimal or any(self._bare)
        # pandas writes a missing cell of text as "" if it quotes all text
        bare = column < len(self._bare) and self._bare[column]  # a header may end in the middle
        return self._minimal and not self._alone and bare


def _records(lines: Iterable[str]) -> Iterator[str]:
    """Yield the texts of records that are not blank; a quoted line break does not end one."""
    text = ""
    for line in lines:
        text += line
        if text.count('"') % 2 == 0:
            if text.strip("\r\n"):
                yield text
            text = ""
