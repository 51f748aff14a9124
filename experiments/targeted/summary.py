"""Fill README.md with the results: ``python -m experiments.targeted.summary``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.common.markdown import fill, table
from experiments.common.results import half_interval, read
from experiments.targeted.honest import RESULTS

README = Path(__file__).parent / "README.md"
# Table 2: generators fitted to the hardest 5, 10 and 20 %, and to all rows
PUBLISHED_TABLE2 = {
    "diabetes_cdc": ("+0.00084", "+0.00050", "+0.00193", "+0.00159"),
    "credit_card": ("+0.00429", "+0.00528", "+0.00173", "+0.00303"),
    "blobs": ("+0.00049", "-0.00130", "-0.00127", "-0.00255"),
    "support2": ("+0.00229", "+0.00379", "+0.00716", "+0.00592"),
}
# the best trial of the simulation study, and its 5 % drawn again
PUBLISHED = {"hard": ("+0.0032", "+0.0022"), "full": ("+0.0017", "+0.0015")}


def honest() -> str:
    """Return a line per cell: score of none, gains of all arms, bold if Holm's p < 0.05."""
    rows = read(RESULTS / "honest.csv")
    cells: dict[tuple[str, ...], dict[str, dict[str, str]]] = {}
    for row in rows:
        key = (row["table"], row["rows"], row["hardest"], row["generator"])
        cells.setdefault(key, {})[row["arm"]] = row
    arms = list(dict.fromkeys(row["arm"] for row in rows if row["arm"] != "none"))
    lines = []
    for (name, n, hardest, generator), by_arm in cells.items():
        none = by_arm["none"]
        gains = [_gain(by_arm[arm]) if arm in by_arm else "" for arm in arms]
        score = f"{none['score']} {float(none['mean']):.3f}"
        lines.append([name, n, hardest, generator, score, *gains])
    head = ["table", "rows", "hardest", "generator", "none", *arms]
    return table(head, lines)


def simulation() -> str:
    """Return gains by the paper's protocol, and gains of all arms on repeated splits."""
    return f"{_simulation_faithful()}\n\n{_simulation_honest()}"


def _simulation_faithful() -> str:
    """Return a line per XGBoost and arm: best trial, drawn again, and the mean of all trials."""
    cells: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in read(RESULTS / "simulation_faithful.csv"):
        cells.setdefault((row["colsample"], row["arm"]), []).append(row)
    lines = []
    for (colsample, arm), rows in cells.items():
        trials = [r for r in rows if r["trial"].isdigit()]
        tunings = {r["tuning"] for r in trials}
        best = [max(float(r["validation"]) for r in trials if r["tuning"] == t) for t in tunings]
        new_draws = [r for r in rows if not r["trial"].isdigit()]
        lines.append([colsample, arm, *(PUBLISHED[arm] if colsample == "0.6" else ("", ""))])
        lines[-1].append(f"{np.mean(best):+.4f}")
        for part in ("validation", "fresh"):
            draws = [float(v) for r in new_draws for v in r[f"{part} draws"].split()]
            errors = [float(r[f"{part} error"]) for r in new_draws]
            lines[-1].append(f"{_mean(draws)} (SE {np.mean(errors):.4f})" if new_draws else "")
        lines[-1] += [_mean([float(r[part]) for r in trials]) for part in ("validation", "fresh")]
    head = ["colsample", "learned", "published: best", "drawn again", "ours: best of ten"]
    head += ["drawn again", "on fresh rows", "mean of all trials", "on fresh rows"]
    return table(head, lines)


def _mean(values: list[float]) -> str:
    return f"{np.mean(values):+.4f} ± {half_interval(np.array(values)):.4f}" if values else ""


def _simulation_honest() -> str:
    """Return a line per generator and XGBoost, with a column per arm."""
    cells: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    for row in read(RESULTS / "simulation_honest.csv"):
        cells.setdefault((row["colsample"], row["generator"]), {})[row["arm"]] = row
    arms = list(dict.fromkeys(arm for by_arm in cells.values() for arm in by_arm if arm != "none"))
    lines = []
    for key, by_arm in cells.items():
        gains = [_gain(by_arm[arm], 4) if arm in by_arm else "" for arm in arms]
        lines.append([*key, f"{float(by_arm['none']['mean']):.4f}", *gains])
    return table(["colsample", "generator", "none", *arms], lines)


def table2() -> str:
    """Return gains by the published design, and gains of all arms on repeated splits."""
    return f"{_table2_faithful()}\n\n{_over_controls('table2_honest.csv')}"


def amounts() -> str:
    """Return a line per table and number of added rows."""
    return _over_controls("amounts.csv")


def _table2_faithful() -> str:
    """Return a line per table, learned and added share: best setting, mean of all settings."""
    cells: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for row in read(RESULTS / "table2_faithful.csv"):
        cells.setdefault((row["table"], row["learned"], row["added"]), []).append(row)
    lines = []
    for (name, share, added), rows in cells.items():
        best = max(rows, key=lambda r: float(r["validation gain"]))
        lines.append([name, "all" if share == "1.0" else f"hardest {share}", added])
        lines[-1].append(PUBLISHED_TABLE2[name][("0.05", "0.1", "0.2", "1.0").index(share)])
        lines[-1] += [f"{float(rows[0]['positive']):.2f}", best["setting"]]
        for part in ("validation", "test"):
            row_error = float(best[f"{part} error over rows"])
            lines[-1].append(f"{float(best[f'{part} gain']):+.4f} (SE {row_error:.4f})")
        for part in ("validation", "test"):
            lines[-1].append(f"{np.mean([float(r[f'{part} gain']) for r in rows]):+.4f}")
    head = ["table", "learned", "added", "published", "share of class 1", "best setting"]
    head += ["its gain, validation", "on test rows", "all settings, validation", "on test rows"]
    return table(head, lines)


def _over_controls(file: str) -> str:
    """Return a line per setting: gains over none, and of "hardest" over its nearest control."""
    cells: dict[tuple[str, str, str], dict[str, dict[str, str]]] = {}
    for row in read(RESULTS / file):
        cells.setdefault((row["table"], row["hardest"], row["added"]), {})[row["arm"]] = row
    arms = list(dict.fromkeys(arm for by_arm in cells.values() for arm in by_arm if arm != "none"))
    prefix = "hardest over it "
    lines = []
    for key, by_arm in sorted(cells.items()):
        nearest = min(
            (r for r in by_arm.values() if r[f"{prefix}low"]),
            key=lambda r: float(r[f"{prefix}low"]),
        )
        low, high = float(nearest[f"{prefix}low"]), float(nearest[f"{prefix}high"])
        lines.append([*key, f"{float(by_arm['none']['mean']):.3f}"])
        lines[-1] += [_gain(by_arm[arm]) if arm in by_arm else "" for arm in arms]
        lines[-1] += [f"{nearest['arm']}: {low:+.3f} to {high:+.3f}"]
        lines[-1] += [f"{float(by_arm['hardest']['detectable']):.3f}"]
    head = ["table", "hardest", "added", "none", *arms, "hardest over the nearest control"]
    return table([*head, "detectable"], lines)


def _gain(row: dict[str, str], digits: int = 3) -> str:
    low, high = float(row["low"]), float(row["high"])
    text = f"{float(row['gain']):+.{digits}f} ± {(high - low) / 2:.{digits}f}"
    return f"**{text}**" if float(row["p_holm"]) < 0.05 else text


PARTS = {"HONEST": honest, "SIMULATION": simulation, "TABLE2": table2, "AMOUNTS": amounts}


if __name__ == "__main__":
    fill(README, {mark: part() for mark, part in PARTS.items()})
