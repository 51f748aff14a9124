"""Fill README.md with the results and draw the pictures: ``python -m experiments.utility.summary``.

Intervals of the real tables are 95 % t over draws of training rows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.common.markdown import fill, table
from experiments.common.results import shown
from experiments.utility import pictures
from experiments.utility.mix import gain_error
from experiments.utility.pictures import read

README = Path(__file__).parent / "README.md"
Row = dict[str, str]


def convergence() -> str:
    """Return gaps beside the independent check; its errors are assumed as large as ours."""
    rows = read("convergence")
    off_gaps = [r for r in rows if abs(_z(r, "checked")) > 4]
    cells: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        cells.setdefault((row["response"], row["mean of Q"], row["class"]), []).append(row)
    lines = [
        [*key, *map(_beside, results), f"{float(results[0]['limit']):g}"]
        for key, results in cells.items()
    ]
    head = [
        "response",
        "mean of Q",
        "class",
        *(r["n"] for r in next(iter(cells.values()))),
        "limit",
    ]
    ranks = [r for r in read("ranking") if r["checked"]]
    off_ranks = [r for r in ranks if abs(_z(r, "checked")) > 4]
    return (
        f"{len(rows) - len(off_gaps)} of {len(rows)} gaps and "
        f"{len(ranks) - len(off_ranks)} of {len(ranks)} shares of rankings lie within 4 standard "
        f"errors of the check.\n\n{table(head, lines)}"
    )


def _beside(row: Row) -> str:
    return f"{float(row['mean']):.4g} ({float(row['checked']):.4g})"


def _z(row: Row, against: str) -> float:
    """Return the distance in standard errors; the check is rounded, and has noise too."""
    value, reference = float(row["mean"]), float(row[against])
    digits = len(row[against].partition(".")[2])
    rounding = 0.5 * 10**-digits
    distance = max(abs(value - reference) - rounding, 0.0)
    # no spread in the sample of a share: assume one deviating repetition
    share = float(row["mean"]) in (0.0, 1.0)
    se = max(float(row["se"]), 1 / int(row["repetitions"]) if share else 0.0)
    return distance / (2**0.5 * se)


def thresholds() -> str:
    """Return simulated thresholds beside theory."""
    return table(
        ["study", "setting", "simulated", "theory"],
        [
            [r["study"], r["setting"], _pm(r), f"{float(r['theory']):.4f}"]
            for r in read("classification")
        ],
    )


def better() -> str:
    """Return signed gaps in cases where synthetic rows may be better."""
    return table(
        ["response", "sd of Q", "synthetic rows", "signed gap", "theory"],
        [
            [r["response"], r["sd of Q"], r["rows"], _pm(r), r["theory"] or "–"]
            for r in read("better")
        ],
    )


def _pm(row: Row) -> str:
    return f"{float(row['mean']):+.5f} ± {1.96 * float(row['se']):.5f}"


def real() -> str:
    """Return a line for each table and generator, means over draws."""
    cells: dict[tuple[str, ...], list[Row]] = {}
    for row in read("real"):
        cells.setdefault((row["table"], row["features"], row["response"] or "–"), []).append(row)
    order = list(dict.fromkeys(key[0] for key in cells))
    lines = []
    for key, results in sorted(cells.items(), key=lambda item: order.index(item[0][0])):

        def mean(column: str, results: list[Row] = results) -> str:
            return (
                _mean([float(r[column]) for r in results if r[column]])
                if results[0][column]
                else "–"
            )

        agree = sum(int(r["TSTR consistent"]) for r in results)
        decided = sum(int(r["TSTR decided"]) for r in results)
        lines.append(
            [
                *key,
                str(len(results)),
                f"{mean('cost')} {results[0]['unit']}",
                f"{agree} of {decided}",
                mean("TSTR tau"),
                mean("TSTS tau"),
                *(
                    _signed(results, f"{term} term")
                    for term in ("response", "feature", "estimation")
                ),
                mean("pooled chi2"),
            ]
        )
    head = [
        "table",
        "features",
        "response",
        "draws",
        "cost",
        "decided pairs that agree",
        "tau",
        "tau of TSTS",
    ]
    return table([*head, "response term", "feature term", "estimation term", "pooled chi2"], lines)


def _mean(values: list[float]) -> str:
    """Return the mean, from three draws on with an interval: that of two is too wide."""
    return shown(values) if len(values) > 2 else f"{np.mean(values):.3f}"


def _signed(rows: list[Row], column: str) -> str:
    value = float(np.mean([float(r[column]) for r in rows]))
    scale = abs(float(np.mean([float(r["mean gap"]) for r in rows])))
    return f"{value:+.3g}" if scale < 100 else f"{value:+.2e}"


def terms() -> str:
    """Return how often the three terms add up to the direct gap."""
    rows = read("real")
    models = [r for r in read("real_models") if r["response"]]
    z = np.array(
        [
            float(r["difference"]) / float(r["difference se"])
            for r in models
            if float(r["difference se"])
        ]
    )
    decomposed = [r for r in rows if r["response"]]
    adds, count = (sum(int(r[c]) for r in decomposed) for c in ("adds up", "models"))
    return (
        f"Where the response of the generator is known ({len(decomposed)} synthetic tables), the "
        f"terms add up to the direct gap within a 95 % interval for {adds} of {count} models "
        f"({100 * adds / count:.1f} %); their sum minus the direct gap, over its standard error, "
        f"has mean {z.mean():+.2f}, standard deviation {z.std():.2f} and largest absolute value "
        f"{np.abs(z).max():.1f}."
    )


def mix() -> str:
    """Return tuned mixes against real rows alone."""
    cells: dict[tuple[str, ...], list[Row]] = {}
    for row in read("mix"):
        cells.setdefault((row["table"], row["n"], row["model"]), []).append(row)
    lines = []
    for key, results in cells.items():
        gains = np.array([float(r["gain"]) for r in results])
        error = gain_error(results)
        mixes = ", ".join(
            "none"
            if not float(r["weight"])
            else f"{float(r['weight']):g} × {float(r['amount']):g}n"
            for r in results
        )
        verdict = "worse" if gains.mean() < -error else "better" if gains.mean() > 2 * error else ""
        real_alone = f"{np.mean([float(r['error_real']) for r in results]):.3f}"
        lines.append([*key, mixes, real_alone, f"{gains.mean():+.4f} ± {error:.4f}", verdict])
    return table(["table", "N", "model", "mixes", "error, real alone", "gain ± se", ""], lines)


PARTS = {
    "CONVERGENCE": ("convergence", convergence),
    "THRESHOLDS": ("classification", thresholds),
    "BETTER": ("better", better),
    "REAL": ("real", real),
    "TERMS": ("real_models", terms),
    "MIX": ("mix", mix),
}


if __name__ == "__main__":
    fill(README, {mark: part() for mark, (needs, part) in PARTS.items() if read(needs)})
    pictures.draw()
