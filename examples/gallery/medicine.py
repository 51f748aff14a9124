"""155 heart patients: can a table like theirs be shared?

155 patients of a clinic learn; 148 others, whom nothing learned, judge. Trees draw patients that
are more alike, and leak more; the copula leaks less. The picture shows blood pressure and heart
rate of real and of synthetic patients.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt

import tabseed as ts

HERE = Path(__file__).parent


def main(out: Path) -> None:
    """Learn, judge and draw; write ``medicine.svg`` to a folder."""
    heart = ts.Table.from_frame(ts.read_table(HERE.parent / "heart.csv"))
    train, holdout = heart.split(155 / 303, stratify="num", random_state=0)
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharex=True, sharey=True)
    axes[0].plot(train.numbers("trestbps"), train.numbers("thalach"), ".", ms=4)
    axes[0].set_title(f"{len(train)} patients")
    for axis, generator in zip(axes[1:], (ts.SequentialTrees(), ts.GaussianCopula()), strict=True):
        model = generator.set_params(random_state=0).fit(train, target="num")
        patients = model.draw(len(train))  # no more than there are: attacks gain from more
        likeness = ts.Likeness(judges=False).evaluate(train, patients, holdout)
        attacked = ts.MembershipInference(permutations=999).evaluate(train, patients, holdout)
        print(f"{type(model).__name__}: {likeness.verdict}\n{attacked.verdict}\n")
        axis.plot(patients.numbers("trestbps"), patients.numbers("thalach"), ".", ms=4, color="C1")
        axis.set_title(type(model).__name__)
    axes[0].set_ylabel("heart rate under load")
    for axis in axes:
        axis.set_xlabel("blood pressure at rest")
    figure.tight_layout()
    figure.savefig(out / "medicine.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
