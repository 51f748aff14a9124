"""One case in twenty: synthetic rows beside class weights.

Rows of the rare class are added by SMOTE or by a copula, or the model is weighted instead. Over ten
splits the four can hardly be told apart: try the weights first, they need no synthetic row.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tabseed as ts


def main(out: Path) -> None:
    """Score four ways on ten splits; write ``rare_class.svg`` to a folder."""
    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    x = x.iloc[:, :8]
    rng = np.random.default_rng(0)
    keep = np.concatenate([np.flatnonzero(y == 1), rng.permutation(np.flatnonzero(y == 0))[:19]])
    x, y = x.iloc[keep].reset_index(drop=True), y.iloc[keep].to_numpy()
    scores: dict[str, list[float]] = {"as it is": [], "weighted": [], "SMOTE": [], "copula": []}
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(y))
        test = np.isin(np.arange(len(y)), order[: len(y) // 2])
        if not 4 <= (y[~test] == 0).sum() <= 15:
            continue
        for name in scores:
            rows, labels = x[~test], y[~test]
            if name in ("SMOTE", "copula"):
                generator = ts.SMOTE() if name == "SMOTE" else ts.GaussianCopula()
                sampler = ts.TargetedAugmenter(
                    generator, hardest=1.0, amount="equal", per_class=True
                )
                rows, labels = sampler.fit_resample(rows, labels)
            weight = "balanced" if name == "weighted" else None
            model = make_pipeline(StandardScaler(), LogisticRegression(class_weight=weight))
            model.fit(rows, labels)
            scores[name].append(balanced_accuracy_score(y[test], model.predict(x[test])))
    figure, axis = plt.subplots(figsize=(6, 3))
    axis.boxplot(list(scores.values()), tick_labels=list(scores))
    axis.set_ylabel("balanced accuracy")
    figure.tight_layout()
    figure.savefig(out / "rare_class.svg")
    for name, values in scores.items():
        print(f"{name}: {np.mean(values):.3f} over {len(values)} splits")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
