"""1,000 loans: a limit on disclosure that a pipeline keeps.

What does an attacker who knows age, purpose and housing learn of whether somebody paid back? What
is true of the population is no leak; the excess over people who are not in the table is.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt

import tabseed as ts

HERE = Path(__file__).parent


def main(out: Path) -> None:
    """Attack two tables and draw what was told; write ``credit.svg`` to a folder."""
    loans = ts.Table.from_frame(ts.read_table(HERE.parent / "credit.csv"))
    train, holdout = loans.split(0.6, stratify="class", random_state=0)
    privacy = ts.Privacy(
        sensitive=["class"], keys=["age", "purpose", "housing"], max_disclosure=0.09
    )
    figure, axis = plt.subplots(figsize=(6, 3))
    for at, model in enumerate((ts.GaussianCopula(random_state=0), ts.Resample(random_state=0))):
        rows = model.fit(train).draw(len(train))
        report = privacy.evaluate(train, rows, holdout, random_state=0)
        print(f"{type(model).__name__}: {report.verdict}")
        for limit in report.limits:
            print("  ", limit)
        excess = max((attack.excess for attack in report.disclosure.attacks), key=lambda e: e.value)
        low, high = excess.value - excess.low, excess.high - excess.value
        axis.errorbar([at], [excess.value], yerr=[[low], [high]], fmt="o", capsize=4)
    axis.axhline(0.09, ls="--", color="grey", lw=1)
    axis.set_xticks([0, 1], ["GaussianCopula", "Resample (copies)"])
    axis.set_xlim(-0.5, 1.5)
    axis.set_ylabel("told more of training rows,\nstrongest attack")
    figure.tight_layout()
    figure.savefig(out / "credit.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
