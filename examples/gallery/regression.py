"""A number to predict: features from one model, the response from another.

442 diabetes patients. Does a model that learns from synthetic patients predict as well? Where
does the loss come from?
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV

import tabseed as ts


def main(out: Path) -> None:
    """Compare two generators by what a ridge regression loses; write ``regression.svg``."""
    frame = load_diabetes(as_frame=True).frame
    train, holdout = ts.Table.from_frame(frame).split(0.6, random_state=0)
    generators = {
        "trees": ts.SequentialTrees(random_state=0),
        "two stages": ts.FeatureResponse(ts.GaussianCopula(), "linear", random_state=0),
    }
    figure, axis = plt.subplots(figsize=(6, 2.6))
    for at, (name, generator) in enumerate(generators.items()):
        rows = generator.fit(train, target="target").draw(1_000)
        gap = ts.generalization_utility(train, rows, holdout, target="target", model=RidgeCV())
        print(f"{name}: {gap}")
        value = gap.score_costs["synthetic"]  # R2
        low, high = value.value - value.low, value.high - value.value
        axis.errorbar(value.value, at, xerr=[[low], [high]], fmt="o", capsize=4)
    axis.axvline(0, color="grey", lw=1)
    axis.set_yticks(range(len(generators)), list(generators))
    axis.set_ylim(-0.6, 1.6)
    axis.set_xlabel("R2 lost by learning from synthetic rows")
    figure.tight_layout()
    figure.savefig(out / "regression.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
