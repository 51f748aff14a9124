"""The tables of the smaller studies (``parts``), and how well likelihood chooses among arms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import spearmanr

from experiments.common.markdown import table
from experiments.common.results import read, shown
from experiments.inductive_bias.arms import BIASES, CONTROLS, NONE
from experiments.inductive_bias.honest import RESULTS
from experiments.inductive_bias.honest_tables import Rows, differences, gain, series, settings
from experiments.inductive_bias.parts import METHODS, TEACHERS

# what AutoBias compares, by the names of the arms, and what it compared before
CANDIDATES = (NONE, "mixture", "taught by trees", "mixture taught by trees")
BEFORE = (NONE, "average", "pretrain", "maml", "drs", "small-init", "mixture")


def _by(rows: Rows, *columns: str) -> dict[tuple[str, ...], Rows]:
    groups: dict[tuple[str, ...], Rows] = {}
    for row in rows:
        groups.setdefault(tuple(row[c] for c in columns), []).append(row)
    return groups


def _mean(rows: Rows, column: str) -> str:
    return shown([float(r[column]) for r in rows])


def _over_none(rows: Rows, coding: str, name: str, column: str = "plain") -> str:
    """Return the gain over no bias on the same draws, which are lines of ``honest``."""
    bare = series(settings().get((coding, name), []), NONE, column)
    return gain(np.array([bare[r["draw"]] - float(r[column]) for r in rows if r["draw"] in bare]))


def _arms(rows: Rows, group: tuple[str, ...], title: str) -> str:
    """Return gains of all arms over every control, a line for each group and arm."""
    lines = []
    for key, lines_of in _by(rows, *group).items():
        for (arm,), own in _by(lines_of, "arm").items():
            over = [
                gain(differences(lines_of, arm, c, "plain")) if c != arm else "" for c in CONTROLS
            ]
            lines.append([*key, arm, _mean(own, "plain"), _mean(own, "coarse"), *over])
    head = [*group, "arm", "plain JS", "coarse JS", *(f"over {c}" for c in CONTROLS)]
    return f"{title}\n\n{table(head, lines)}" if lines else ""


def sizes() -> str:
    """Return the gains at 57, 100 and 1,000 rows."""
    return _arms(read(RESULTS / "sizes.csv"), ("data", "n"), "Other numbers of rows, raw tables:")


def models() -> str:
    """Return the gains of other networks."""
    rows = read(RESULTS / "models.csv")
    return _arms(rows, ("model", "data"), "Other networks, 300 rows in the authors' coding:")


def quality() -> str:
    """Return JS of the rows that teach, and of the network after each stage."""
    rows = read(RESULTS / "quality.csv")
    lines = []
    for (name, teacher), own in sorted(
        _by(rows, "data", "teacher").items(), key=lambda k: (k[0][0], list(TEACHERS).index(k[0][1]))
    ):
        stages = [_mean(own, f"{stage} plain") for stage in ("teacher", "stage one")]
        lines.append(
            [name, teacher, *stages, _mean(own, "plain"), _over_none(own, own[0]["coding"], name)]
        )
    if not lines:
        return ""
    ranks = []
    for (name, draw), own in _by(rows, "data", "draw").items():
        rho = spearmanr(*([float(r[c]) for r in own] for c in ("teacher plain", "plain"))).statistic
        ranks.append(f"{name}, draw {draw}: {rho:+.2f}")
    head = ["data", "teacher", "rows that teach", "after stage one", "after stage two"]
    return (
        "The quality of the rows of stage one (plain JS):\n\n"
        + table([*head, "gain over none"], lines)
        + f"\n\nRank correlation of the first and the last JS over teachers: {'; '.join(ranks)}."
    )


def maml() -> str:
    """Return JS of each way of MAML."""
    rows = read(RESULTS / "maml.csv")
    groups = _by(rows, "order", "tasks")
    lines = []
    for order, tasks in METHODS:
        own = groups.get((order, str(tasks)), [])
        if own:
            drop = shown([float(r["start loss"]) - float(r["best loss"]) for r in own])
            js = [_mean(own, "plain"), _mean(own, "coarse")]
            lines.append([order, str(tasks), *js, _over_none(own, "raw", "adult"), drop])
    head = ["order", "tasks", "plain JS", "coarse JS", "gain over none"]
    head.append("fall of the loss after adaptation, nats a row")
    return f"MAML, raw Adult:\n\n{table(head, lines)}" if lines else ""


def auto() -> str:
    """Return what AutoBias chose, and its JS beside what it chose from, on the same draws."""
    lines = []
    groups = _by(read(RESULTS / "auto.csv"), "coding", "data", "criterion")
    for (coding, name, criterion), own in groups.items():
        of_arms = settings().get((coding, name), [])
        chosen = ", ".join(f"{c} {len(r)}" for (c,), r in _by(own, "chosen").items())
        best, among = [], {a: series(of_arms, a, "plain") for a in CANDIDATES}
        for r in own:
            values = [v[r["draw"]] for v in among.values() if r["draw"] in v]
            best += [float(r["plain"]) - min(values)] if values else []
        over = [_over_none(own, coding, name), shown(best) if best else ""]
        lines.append([f"{name}, {coding}", criterion, chosen, _mean(own, "plain"), *over])
    head = [
        "",
        "criterion",
        "chosen",
        "plain JS",
        "gain over none",
        "JS above the best candidate's",
    ]
    return f"The choice of `AutoBias`:\n\n{table(head, lines)}" if lines else ""


# --- likelihood as a criterion ------------------------------------------------------------------


def _regrets(rows: Rows, among: tuple[str, ...], choose: Callable[[Rows], str]) -> list[float]:
    """Return by draw the JS of the arm chosen, less that of the best arm."""
    found = []
    for own in _by(rows, "draw").values():
        among_these = [r for r in own if r["arm"] in among and r["likelihood"] != ""]
        if len(among_these) == len(among):
            js = {r["arm"]: float(r["plain"]) for r in among_these}
            found.append(js[choose(among_these)] - min(js.values()))
    return found


def likelihood() -> str:
    """Return the JS lost by choosing the arm of largest held-out likelihood."""
    rules: dict[str, Callable[[Rows], str]] = {
        "the largest likelihood": lambda r: max(r, key=lambda x: float(x["likelihood"]))["arm"],
        "always none": lambda _: NONE,
        "always mixture": lambda _: "mixture",
    }
    by = settings()
    lines = []
    sets = (
        ("AutoBias's candidates", CANDIDATES),
        ("its candidates before", BEFORE),
        ("all arms", tuple(BIASES)),
    )
    for label, among in sets:
        for rule, choose in rules.items():
            each = [_regrets(rows, among, choose) for rows in by.values()]
            lines.append([label, rule, *(shown(v) if v else "" for v in each)])
        lines.append([label, "rank correlation", *(_ranks(rows, among) for rows in by.values())])
    head = ["among", "chosen by", *(f"{name}, {coding}" for coding, name in by)]
    return "JS lost by a choice, to the best arm of the same draw:\n\n" + table(head, lines)


def _ranks(rows: Rows, among: tuple[str, ...]) -> str:
    """Return the mean over draws of the rank correlation of likelihood and -JS over arms."""
    found = []
    for own in _by(rows, "draw").values():
        pairs = [
            (float(r["likelihood"]), -float(r["plain"]))
            for r in own
            if r["arm"] in among and r["likelihood"] != ""
        ]
        if len(pairs) == len(among):
            found.append(float(spearmanr(*zip(*pairs, strict=True)).statistic))
    return shown(found) if found else ""


def parts() -> dict[str, str]:
    """Return the tables of all parts that were run."""
    texts = [quality(), sizes(), maml(), models(), auto(), likelihood()]
    return {"PARTS": "\n\n".join(text for text in texts if text)}
