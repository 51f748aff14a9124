"""The tables of ``honest``: JS by arm and setting, paired gains over each control, pooled gains."""

from __future__ import annotations

import numpy as np

from experiments.common.markdown import table
from experiments.common.results import half_interval, read, shown
from experiments.inductive_bias.arms import BESIDE, BIASES, CONTROLS, MANY, NONE, TEACHER
from experiments.inductive_bias.honest import DRAWS, RESULTS, TABLES, THEIRS

Rows = list[dict[str, str]]
Setting = tuple[str, str]  # coding and table
SETTINGS: tuple[Setting, ...] = tuple((c, t) for c in ("authors", "raw") for t in TABLES)
# the second training: an arm with it, and the same without
TUNED = ("pretrain", "drs", "taught by trees")


def settings() -> dict[Setting, Rows]:
    """Return the lines of each coding and table of which every draw of every bias is known."""
    rows = read(RESULTS / "honest.csv")
    by = {s: [r for r in rows if (r["coding"], r["data"]) == s] for s in SETTINGS}
    return {setting: lines for setting, lines in by.items() if _complete(lines)}


def _complete(rows: Rows) -> bool:
    return all(sum(r["arm"] == arm for r in rows) == DRAWS for arm in BIASES)


def series(rows: Rows, arm: str, column: str) -> dict[str, float]:
    """Return the figures of an arm by draw."""
    return {r["draw"]: float(r[column]) for r in rows if r["arm"] == arm and r[column] != ""}


def differences(rows: Rows, arm: str, control: str, column: str) -> np.ndarray:
    """Return control - arm of each draw that has both."""
    ours, theirs = series(rows, arm, column), series(rows, control, column)
    return np.array([theirs[d] - ours[d] for d in sorted(set(ours) & set(theirs))])


def gain(values: np.ndarray) -> str:
    """Return a mean gain and half its interval as text, bold if the interval excludes 0."""
    if len(values) < 2:
        return ""
    mean, half = float(values.mean()), half_interval(values)
    bold = "**" if abs(mean) > half else ""
    return f"{bold}{mean:+.3f} ± {half:.3f}{bold}"


def pooled(by: dict[Setting, Rows], arm: str, control: str, column: str) -> np.ndarray:
    """Return the mean gain of each setting: the settings, not the draws, are the sample."""
    each = [differences(rows, arm, control, column) for rows in by.values()]
    return np.array([values.mean() for values in each if len(values)])


def _head(by: dict[Setting, Rows]) -> list[str]:
    return [f"{name}, {coding}" for coding, name in by]


def values(by: dict[Setting, Rows], column: str) -> str:
    """Return the mean figure of every arm on every setting."""
    names = [*BIASES, *BESIDE, MANY, *(f"authors' {arm}" for arm in THEIRS)]
    lines = []
    for arm in names:
        found = [list(series(rows, arm, column).values()) for rows in by.values()]
        if any(found):
            lines.append([arm, *(shown(v) if v else "" for v in found)])
    return table(["arm", *_head(by)], lines)


def gains(by: dict[Setting, Rows], control: str, column: str) -> str:
    """Return the gains of every bias over a control on every setting, and over all settings."""
    lines = []
    for arm in (*BIASES, TEACHER):
        if arm == control or (control != NONE and arm in CONTROLS):
            continue
        each = [gain(differences(rows, arm, control, column)) for rows in by.values()]
        if any(each):
            lines.append([arm, *each, gain(pooled(by, arm, control, column))])
    return table([f"gain over {control}", *_head(by), "all settings"], lines)


def second_training(by: dict[Setting, Rows], column: str) -> str:
    """Return what the second training adds to the weights of a bias, and how long it is."""
    lines = []
    for arm in TUNED:
        without = f"{arm}, not tuned"
        each = [gain(differences(rows, arm, without, column)) for rows in by.values()]
        lines.append([arm, *each, gain(pooled(by, arm, without, column))])
        taken = [
            sorted({int(part) for r in rows if r["arm"] == arm for part in _steps(r)})
            for rows in by.values()
        ]
        steps = [f"{t[0]} to {t[-1]}" if t else "" for t in taken]
        lines.append([f"{arm}: steps", *steps, ""])
    return table(["second training", *_head(by), "all settings"], lines)


def _steps(row: dict[str, str]) -> list[str]:
    return row["second steps"].split(" to ") if row["second steps"] else []


def honest() -> str:
    """Return all tables of the honest study."""
    by = settings()
    parts = ["JS in bits, plain view, 0 is best:", values(by, "plain"), "The same, coarse view:"]
    parts += [values(by, "coarse")]
    parts += [gains(by, control, "plain") for control in CONTROLS]
    parts += [gains(by, NONE, "coarse"), second_training(by, "plain")]
    parts += ["Log-likelihood, nats a row:", values(by, "likelihood")]
    parts += ["Seconds besides those of the first seeds:", values(by, "seconds")]
    return "\n\n".join(parts)
