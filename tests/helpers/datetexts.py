"""Dates as text, written in plain Python: the truth that patterns are held against."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from hypothesis import strategies as st

MONTHS = "January February March April May June July August September October November December"
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
EPOCH = dt.datetime(1970, 1, 1)


def microseconds(stamp: dt.datetime) -> int:
    """Return microseconds since 1970."""
    return (stamp - EPOCH) // dt.timedelta(microseconds=1)


def written(pieces: Sequence[str], t: dt.datetime) -> str:
    """Write a date by the pieces of a pattern: directives, and text as it is."""
    month, day = MONTHS.split()[t.month - 1], DAYS.split()[t.weekday()]
    twelve, half = (t.hour - 1) % 12 + 1, "AM" if t.hour < 12 else "PM"
    texts = {
        "%Y": f"{t.year:04}",
        "%y": f"{t.year % 100:02}",
        "%m": f"{t.month:02}",
        "%d": f"{t.day:02}",
        "%e": f"{t.day:2}",
        "%j": f"{(t - dt.datetime(t.year, 1, 1)).days + 1:03}",
        "%-m": f"{t.month}",
        "%-d": f"{t.day}",
        "%b": month[:3],
        "%^b": month[:3].upper(),
        "%#b": month[:3].lower(),
        "%B": month,
        "%a": day[:3],
        "%A": day,
        "%H": f"{t.hour:02}",
        "%-H": f"{t.hour}",
        "%I": f"{twelve:02}",
        "%-I": f"{twelve}",
        "%M": f"{t.minute:02}",
        "%S": f"{t.second:02}",
        "%p": half,
        "%P": half.lower(),
        "%f": f"{t.microsecond:06}",
        "%3f": f"{t.microsecond // 1000:03}",
        "%1f": f"{t.microsecond // 100_000}",
        "%%": "%",
    }
    return "".join(texts.get(piece, piece) for piece in pieces)


def step(pieces: Sequence[str]) -> dt.timedelta:
    """Return the smallest difference that text of these pieces can show."""
    steps = {"%f": 1e-6, "%3f": 1e-3, "%1f": 0.1, "%S": 1.0, "%M": 60.0, "%H": 3600.0}
    return dt.timedelta(seconds=next((s for d, s in steps.items() if d in pieces), 86400.0))


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, ...]:
    """Draw the pieces of a common spelling whose order of day and month shows, given days > 12."""
    mark = draw(st.sampled_from(["-", "/", ".", " "]))
    zero = draw(st.sampled_from(["", "-"]))
    d, m = f"%{zero}d", f"%{zero}m"
    name = draw(st.sampled_from(["%b", "%^b", "%#b", "%B"]))
    date: tuple[str, ...] = draw(
        st.sampled_from(
            [
                *[("%Y", mark, m, mark, d), (d, mark, m, mark, "%Y"), (m, mark, d, mark, "%Y")],
                *[(d, mark, name, mark, "%Y"), ("%Y", mark, name, mark, d)],
                *[(name, " ", d, ", ", "%Y"), ("%a", ", ", d, " ", name, " ", "%Y")],
                *[("%d", name, "%Y"), (d, mark, m, mark, "%y"), (d, mark, name, mark, "%y")],
            ]
        )
    )
    clock: tuple[str, ...] = draw(
        st.sampled_from(
            [
                (),
                *[(hour, ":", "%M") for hour in ("%H", "%-H")],
                *[("%H", ":", "%M", ":", "%S", *more) for more in ((), (".", "%3f"), (",", "%f"))],
                *[
                    (hour, ":", "%M", gap, half)
                    for hour in ("%I", "%-I")
                    for gap in (" ", "")
                    for half in ("%p", "%P")
                ],
                *[
                    ("%H", ":", "%M", ":", "%S", gap, zone)
                    for gap in ("", " ")
                    for zone in ("Z", "+00:00", "+0530", "-03", "UTC")
                ],
            ]
        )
    )
    joint = draw(st.sampled_from([" ", "T"] if date[-1] in ("%Y", "%d", d) else [" "]))
    return (*date, joint, *clock) if clock else date
