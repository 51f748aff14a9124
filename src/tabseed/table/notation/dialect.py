"""How a text file is written, so that what is made from it is written alike.

The dialect of a file travels with its table, as metadata of Arrow under the key :data:`KEY`, and
no further than to text: other formats have one form only.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import pyarrow as pa

from tabseed.table.notation.marks import DECIMALS, THOUSANDS

KEY = b"tabseed"
SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Dialect:
    """Separator, decimal mark, encoding and line ends of a text file.

    ``grouped`` gives the thousands mark of columns that have one, by name; none is written.
    ``doubtful`` gives the decimal mark of columns whose own cells could have been read otherwise.
    """

    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    newline: str = "\n"
    grouped: Mapping[str, str] = field(default_factory=dict)
    doubtful: Mapping[str, str] = field(default_factory=dict)

    def attached(self, table: pa.Table) -> pa.Table:
        """Return the table with this dialect in its metadata."""
        text = json.dumps(asdict(self), sort_keys=True).encode()
        return table.replace_schema_metadata({**(table.schema.metadata or {}), KEY: text})

    @classmethod
    def of(cls, metadata: Mapping[bytes, bytes] | None) -> Dialect:
        """Read the dialect from metadata; what it lacks, or holds and may not, is the default."""
        try:
            data = json.loads((metadata or {})[KEY])
        except (KeyError, ValueError, RecursionError):
            return cls()
        known = {name: data.get(name) for name in asdict(cls())} if isinstance(data, dict) else {}
        sound = {
            "separator": known.get("separator") in SEPARATORS,
            "decimal": known.get("decimal") in DECIMALS,
            "encoding": _is_encoding(known.get("encoding")),
            "newline": known.get("newline") in ("\n", "\r\n", "\r"),
        }
        return cls(
            **{name: str(known[name]) for name, is_sound in sound.items() if is_sound},
            grouped=_marks(known.get("grouped"), THOUSANDS),
            doubtful=_marks(known.get("doubtful"), DECIMALS),
        )

    def readings(self) -> dict[str, str]:
        """Return by column, with an example, how numbers were read that others may read otherwise.

        >>> Dialect(grouped={"sales": "."}).readings()
        {'sales': '1.250 read as 1250'}
        """
        decimals = {name: f"1{mark}250 read as 1.25" for name, mark in self.doubtful.items()}
        return decimals | {n: f"1{mark}250 read as 1250" for n, mark in self.grouped.items()}

    def encoded(self, text: str) -> bytes:
        """Return text as bytes, with this dialect's line ends; UnicodeError if it cannot be.

        ``text`` has "\\n" at the end of lines only; quoted cells keep theirs as they are.
        """
        if self.encoding == "utf-16":  # the codec's own order of bytes depends on the machine
            return codecs.BOM_UTF16_LE + text.encode("utf-16-le")
        if self.encoding == "utf-32":
            return codecs.BOM_UTF32_LE + text.encode("utf-32-le")
        return text.encode(self.encoding)


def _marks(found: object, known: tuple[str, ...]) -> dict[str, str]:
    items = found.items() if isinstance(found, dict) else ()
    return {name: mark for name, mark in items if mark in known}


def _is_encoding(name: object) -> bool:
    try:
        "a,1".encode(name)  # type: ignore[arg-type]
    except (LookupError, ValueError, TypeError):
        return False
    return True


def own_metadata(schema: pa.Schema) -> dict[bytes, bytes] | None:
    """Return the part of a schema's metadata that is a dialect; None if there is none."""
    value = (schema.metadata or {}).get(KEY)
    return None if value is None else {KEY: value}


def decimal_of(table: pa.Table) -> str | None:
    """Return the decimal mark of the text file that a table comes from; None for other tables."""
    form = own_metadata(table.schema)
    return None if form is None else Dialect.of(form).decimal


def without_dialect(table: pa.Table) -> pa.Table:
    """Return the table without the dialect in its metadata."""
    if own_metadata(table.schema) is None:
        return table
    rest = {k: v for k, v in table.schema.metadata.items() if k != KEY}
    return table.replace_schema_metadata(rest or None)
