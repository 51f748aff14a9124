"""Fill README.md with the results and draw the pictures; intervals are 95 % t over seeds.

python -m experiments.hardness.summary
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from experiments.common.markdown import fill, table
from experiments.common.results import half_interval, shown
from experiments.hardness import faithful, pictures, removal
from experiments.hardness.hints import GROUPS
from experiments.hardness.honest import KINDS, SHARE, TWO_CLASSES
from experiments.hardness.read import Series, read, series
from experiments.hardness.scores import METHODS, RECORDED, RECORDING, skill
from experiments.hardness.tables import PAPERS, TARGETS
from tabseed.hardness.hints import HINTS

README = Path(__file__).parent / "README.md"


# --- honest -------------------------------------------------------------------------------------


def honest() -> str:
    """Return the skill by table, kind and method; AUROC is in the CSV."""
    precisions = series("honest", "average precision", METHODS)
    parts = [_overview(precisions)]
    for name in TARGETS:
        kinds = KINDS if name in PAPERS else TWO_CLASSES
        kinds = tuple(k for k in kinds if (name, k) in precisions)
        if kinds:
            parts += [f"### {name}", _skills(precisions, name, kinds)]
    return "\n\n".join(parts)


def _skills(precisions: Series, name: str, kinds: tuple[str, ...]) -> str:
    lines = [[m, *(_skill_shown(precisions[name, k][m]) for k in kinds)] for m in METHODS]
    return table(["skill", *kinds], lines)


def _skill_shown(precision: np.ndarray) -> str:
    values = skill(precision, SHARE)
    text = shown(values.tolist())
    return f"**{text}**" if len(values) > 1 and values.mean() > half_interval(values) else text


def _overview(precisions: Series) -> str:
    """Return the mean skill over tables, and on how many its interval is above 0."""
    lines = []
    for method in METHODS:
        line = [method]
        for kind in KINDS:
            cells = [skill(precisions[t, k][method], SHARE) for t, k in precisions if k == kind]
            above = sum(len(v) > 1 and v.mean() > half_interval(v) for v in cells)
            mean = np.mean([v.mean() for v in cells]) if cells else np.nan
            line.append(f"{mean:+.2f} ({above} of {len(cells)})")
        lines.append(line)
    return table(["mean skill (tables with the interval above 0)", *KINDS], lines)


def seconds() -> str:
    """Return the mean seconds of each method for one set of rows, for each table."""
    times = series("honest", "seconds", (*METHODS, RECORDING))
    names = [t for t in TARGETS if any(t == name for name, _ in times)]
    mean = {
        (t, m): np.mean(np.concatenate([v[m] for (name, _), v in times.items() if name == t]))
        for t in names
        for m in (*METHODS, RECORDING)
    }
    lines = [
        [
            f"{m} (alone)" if m in RECORDED else m,
            *(f"{mean[t, m] + (m in RECORDED) * mean[t, RECORDING]:.2f}" for t in names),
        ]
        for m in METHODS
    ]
    recording = [f"{RECORDING}, shared by {len(RECORDED)}"]
    lines.append([*recording, *(f"{mean[t, RECORDING]:.2f}" for t in names)])
    return table(["seconds, one core", *names], lines)


# --- faithful -----------------------------------------------------------------------------------


def running_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean of each column and all before it, as in the printed columns."""
    return np.cumsum(values) / np.arange(1, len(values) + 1)


def faithful_table() -> str:
    """Return the published figures, ours by the same protocol, and ours in the right direction."""
    printed = series("faithful", faithful.PRINTED, faithful.METHODS)
    upright = series("faithful", "average precision", faithful.METHODS)
    theirs, shares = faithful.published(), np.array(faithful.SHARES)
    floor = running_mean(1 - shares)
    parts = []
    for index, name in enumerate(PAPERS):
        if (name, faithful.TYPES[0], str(shares[-1])) not in printed:
            continue
        lines, columns = [], []
        for method in faithful.METHODS:
            ours = running_mean(_over_types(printed, name, method).mean(axis=0))
            values = _over_types(upright, name, method)
            upright_skill = (values - shares) / (1 - shares)
            mislabelled = np.array(
                [upright[name, "mislabelled", str(p)][method].mean() for p in shares]
            )
            labels = ((mislabelled - shares) / (1 - shares)).mean()
            excess = theirs[method][index] - floor
            columns.append([excess.mean(), (ours - floor).mean(), labels])
            figures = [theirs[method][index], ours, upright_skill.mean(axis=0)]
            texts = [" ".join(f"{v:.3f}" for v in values) for values in figures]
            lines.append([method, *texts, f"{labels:.3f}"])
        head = ["method", "published", "ours, as printed", "ours: skill, types averaged"]
        ranks = [spearmanr(np.transpose(columns)[0], np.transpose(columns)[k])[0] for k in (1, 2)]
        parts += [
            f"### {name} (chance as printed: {' '.join(f'{v:.3f}' for v in floor)})",
            table([*head, "skill on labels"], lines),
            f"Rank correlation of the published excess over chance with ours as printed "
            f"{ranks[0]:+.2f}, with our skill on labels {ranks[1]:+.2f}.",
        ]
    return "\n\n".join(parts)


def _over_types(cells: Series, name: str, method: str) -> np.ndarray:
    """Return figures (types, shares), means over seeds."""
    return np.array(
        [
            [cells[name, kind, str(p)][method].mean() for p in faithful.SHARES]
            for kind in faithful.TYPES
        ]
    )


# --- removal ------------------------------------------------------------------------------------


def removal_table() -> str:
    """Return the change in Gini against no removal, paired by draw."""
    lines = []
    rows = read("removal")
    for name in removal.TABLES:
        for flipped in removal.FLIPPED:
            for method in removal.METHODS:
                results = [
                    r
                    for r in rows
                    if (r["table"], r["flipped"], r["method"]) == (name, str(flipped), method)
                ]
                if not results:
                    continue
                whole = np.array([float(r["0.0"]) for r in results])
                cells = [
                    shown((np.array([float(r[str(p)]) for r in results]) - whole).tolist())
                    for p in removal.REMOVED[1:]
                ]
                lines.append([name, f"{flipped:.0%}", method, f"{whole.mean():.3f}", *cells])
    head = ["table", "flipped", "hardest first by", "Gini of all rows"]
    return table([*head, *(f"-{p:.0%}" for p in removal.REMOVED[1:])], lines)


def hints_table() -> str:
    """Return the share of each hint among rows made hard, and in brackets among the others."""
    rows = read("hints")
    named = [h or "none" for h in HINTS]

    def share(name: str, kind: str, group: str, hint: str) -> float:
        results = [r for r in rows if (r["table"], r["kind"], r["rows"]) == (name, kind, group)]
        return float(np.mean([float(r[hint]) for r in results]))

    lines = [
        [
            kind,
            name,
            *(" (".join(f"{share(name, kind, g, h):.2f}" for g in GROUPS) + ")" for h in named),
        ]
        for kind in TWO_CLASSES
        for name in dict.fromkeys(r["table"] for r in rows)
    ]
    return table(["made hard", "table", *named], lines)


def parts() -> dict[str, str]:
    """Return the tables whose results exist, by their marks."""
    makers = {
        "HONEST": ("honest", honest),
        "SECONDS": ("honest", seconds),
        "FAITHFUL": ("faithful", faithful_table),
        "REMOVAL": ("removal", removal_table),
        "HINTS": ("hints", hints_table),
    }
    return {mark: content() for mark, (name, content) in makers.items() if read(name)}


if __name__ == "__main__":
    fill(README, parts())
    pictures.draw()
