"""The published tables beside ours: divergences, relative gains (Table 5), signs.

``published.csv`` holds Tables 1 to 4 and 6 to 9 of arXiv 2407.03080 as printed; Table 5 follows
from them (each printed gain is that of the printed divergences to 0.002). JS in bits, KL in nats.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np

from experiments.common.markdown import table
from experiments.common.results import half_interval, read
from experiments.inductive_bias.faithful import CTGAN, RESULTS, TABLES

HERE = Path(__file__).parent
TECHNIQUES = ("pretrain", "avg", "maml", "drs")
CONTROLS = ("control: small-init", "control: continued")
ARMS = ("big_data", "low_data", *TECHNIQUES, *CONTROLS)
METRICS = ("JS", "KL")
MANY, FEW = "7500/1000", "100/100"
PUBLISHED, THEIR_ROWS, OURS = "published", "their rows, judged here", "reconstructed"
# (JS, KL) of each run, by table and arm
Figures = dict[tuple[str, str], list[tuple[float, float]]]


def published(judge: str = MANY) -> Figures:
    """Return what is printed, by the rows M/L of its judge."""
    return {
        (r["data"], (CTGAN if r["model"] == "ctgan" else "") + r["arm"]): [
            (float(r["js"]), float(r["kl"]))
        ]
        for r in read(HERE / "published.csv")
        if f"{r['m']}/{r['l']}" == judge
    }


def judged(source: str, judge: str) -> Figures:
    """Return what a judge says here of the rows of "authors" or "ours"."""
    figures: Figures = {}
    for r in read(RESULTS / "faithful_judged.csv"):
        if (r["source"], r["judge"]) == (source, judge):
            runs = figures.setdefault((r["data"], r["arm"]), [])
            runs.append((float(r["js"]), float(r["kl"])))
    return figures


def gains(figures: Figures, arm: str, over: str = "low_data") -> dict[str, np.ndarray]:
    """Return by table the relative gains (runs, 2) of an arm: (low - arm) / low, of JS and KL."""
    found = {}
    for name in TABLES:
        low, high = figures.get((name, arm), []), figures.get((name, over), [])
        runs = min(len(low), len(high))
        if runs:
            base = np.array(high[:runs])
            found[name] = (base - np.array(low[:runs])) / base
    return found


def divergences() -> str:
    """Return both divergences of every arm: printed, of the authors' rows, of ours."""
    sources = [
        published(),
        judged("authors", "network"),
        judged("authors", "trees"),
        judged("ours", "network"),
        judged("ours", "trees"),
    ]
    arms = [*ARMS, *(CTGAN + arm for arm in ("big_data", "low_data", "pretrain"))]
    lines = []
    for name in TABLES:
        for arm in arms:
            cells = [_pair(source.get((name, arm))) for source in sources]
            if any(cells):
                runs = len(sources[3].get((name, arm), []))
                lines.append([name, arm, *cells, str(runs or "")])
    head = ["data", "arm", "published", "their rows: network", "trees"]
    return table([*head, "reconstructed: network", "trees", "runs"], lines)


def _pair(runs: list[tuple[float, float]] | None) -> str:
    if not runs:
        return ""
    js, kl = np.mean(runs, axis=0)
    return f"{js:.3f} ({kl:.2f})"


def relative() -> str:
    """Return the relative gains over ``low_data`` as in Table 5, with the average row."""
    parts = []
    sources = {
        PUBLISHED: published(),
        THEIR_ROWS: judged("authors", "network"),
        OURS: judged("ours", "network"),
    }
    for at, metric in enumerate(METRICS):
        by_source = {s: {a: gains(f, a) for a in TECHNIQUES} for s, f in sources.items()}
        lines = []
        for name in (*TABLES, "average"):
            cells = []
            for arm in TECHNIQUES:
                for source in sources:
                    found = by_source[source][arm]
                    wanted = TABLES if name == "average" else (name,)
                    values = [found[n][:, at].mean() for n in wanted if n in found]
                    whole = len(values) == len(wanted)
                    cells.append(f"{np.mean(values):+.2f}" if whole else "")
            lines.append([name, *(" / ".join(cells[k : k + 3]) for k in range(0, len(cells), 3))])
        parts.append(table([f"relative gain in {metric}", *TECHNIQUES], lines))
    return "\n\n".join(parts)


def signs() -> str:
    """Return how many gains have the sign that is printed, and how many two runs of ours share."""
    theirs = published()
    lines = []
    for at, metric in enumerate(METRICS):
        for label, figures in (
            (THEIR_ROWS, judged("authors", "network")),
            (OURS, judged("ours", "network")),
        ):
            same = [_agree(theirs, figures, arm, at) for arm in TECHNIQUES]
            kept = _agree_among_runs(figures, at)
            lines.append(
                [
                    metric,
                    label,
                    *(f"{sum(s)} of {len(s)}" for s in same),
                    f"{sum(map(sum, same))} of {sum(map(len, same))}",
                    f"{sum(kept)} of {len(kept)}" if kept else "",
                ]
            )
    head = ["", "signs as published", *TECHNIQUES, "all"]
    return table([*head, "pairs of runs with the same sign"], lines)


def _agree(theirs: Figures, ours: Figures, arm: str, at: int) -> list[bool]:
    printed, found = gains(theirs, arm), gains(ours, arm)
    return [bool(printed[n][0, at] * found[n][:, at].mean() > 0) for n in found]


def _agree_among_runs(figures: Figures, at: int) -> list[bool]:
    return [
        bool(a * b > 0)
        for arm in TECHNIQUES
        for values in gains(figures, arm).values()
        for a, b in combinations(values[:, at], 2)
    ]


def over_controls() -> str:
    """Return the absolute gain in JS of our arms over no bias and over each control, by table."""
    figures = judged("ours", "network")
    lines = []
    for arm in (*CONTROLS, *TECHNIQUES):
        for over in ("low_data", *CONTROLS):
            cells = []
            for name in TABLES:
                a, b = figures.get((name, arm), []), figures.get((name, over), [])
                runs = min(len(a), len(b))
                both = np.array([y[0] - x[0] for x, y in zip(a[:runs], b[:runs], strict=True)])
                half = f" ± {half_interval(both):.3f}" if runs > 1 else ""
                cells.append(f"{both.mean():+.3f}{half}" if runs and arm != over else "")
            if any(cells):
                lines.append([arm, over, *cells])
    return table(["arm", "JS gained over", *TABLES], lines)


def few() -> str:
    """Return the second scenario, M = L = 100: printed, and by the judge without its leak."""
    sources = [published(FEW), judged("authors", FEW), judged("ours", FEW)]
    arms = ["low_data", *TECHNIQUES, CTGAN + "low_data", CTGAN + "pretrain"]
    lines = []
    for name in TABLES:
        for arm in arms:
            cells = [_pair(source.get((name, arm))) for source in sources]
            if any(cells):
                lines.append([name, arm, *cells])
    return table(["data", "arm", PUBLISHED, "their rows", OURS], lines)


def learning() -> str:
    """Return how each arm learned; several runs are averaged."""
    rows = read(RESULTS / "faithful.csv")
    lines = []
    for name, arm in dict.fromkeys((r["data"], r["arm"]) for r in rows):
        runs = [r for r in rows if (r["data"], r["arm"]) == (name, arm)]
        means = [
            np.mean([float(r[column]) for r in runs])
            for column in ("best loss", "mean steps", "seconds")
        ]
        best, steps, seconds = means
        loss = "" if CTGAN in arm else f"{best:.1f}"
        lines.append([name, arm, str(len(runs)), loss, f"{steps:.0f}", f"{seconds:.0f}"])
    return table(["data", "arm", "runs", "smallest last loss", "steps", "seconds"], lines)


def noise() -> str:
    """Return what a second run of the same thing gains: theirs that learned nothing, and ours.

    The authors' MAML and the pre-training of their CTGAN start from fresh weights, so these gains
    are those of one more run.
    """
    printed, ours = published(), judged("ours", "network")
    nulls = [("maml", "low_data"), (CTGAN + "pretrain", CTGAN + "low_data")]
    again = [gains(printed, arm, over)[name][0] for arm, over in nulls for name in TABLES]
    others = [gains(printed, arm)[name][0] for arm in ("pretrain", "avg", "drs") for name in TABLES]
    lines = []
    for at, metric in enumerate(METRICS):
        rms = float(np.sqrt(np.mean([g[at] ** 2 for g in again])))
        clear = sum(abs(g[at]) > 1.96 * rms for g in others)
        spread = [
            values[:, at].std(ddof=1)
            for arm in TECHNIQUES
            for values in gains(ours, arm).values()
            if len(values) > 1
        ]
        between = f"{np.sqrt(np.mean(np.square(spread))):.3f}" if spread else ""
        lines.append([metric, f"{rms:.3f}", f"{clear} of {len(others)}", between])
    head = ["relative gain in", "of their second runs (root mean square)"]
    more = ["gains of pretrain, avg, drs beyond 1.96 of it", "sd between our runs"]
    return table([*head, *more], lines)


def parts() -> dict[str, str]:
    """Return the parts of README.md about the faithful study, by name."""
    return {
        "FAITHFUL": divergences(),
        "RELATIVE": relative(),
        "SIGNS": signs(),
        "NOISE": noise(),
        "CONTROLS": over_controls(),
        "FEW": few(),
        "LEARNING": learning(),
    }
