"""A sampler inside the pipelines of scikit-learn and imbalanced-learn.

In a pipeline the sampler sees training folds only, so the score is that of rows that nothing saw.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from imblearn.pipeline import Pipeline
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import tabseed as ts

HERE = Path(__file__).parent


def main(out: Path) -> None:
    """Cross-validate with and without the sampler; write ``pipeline.svg`` to a folder."""
    loans = pd.read_csv(HERE.parent / "credit.csv")
    x, y = loans.drop(columns="class"), loans["class"] == "bad"
    design = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
        remainder=StandardScaler(),
    )
    sampler = ts.TargetedAugmenter(ts.GaussianCopula(), hardest=1.0, amount="equal", per_class=True)
    scores = {}
    for name, steps in {"as it is": [], "classes made equal": [("sampler", sampler)]}.items():
        model = Pipeline(
            [*steps, ("design", design), ("model", LogisticRegression(max_iter=2_000))]
        )
        scores[name] = cross_val_score(model, x, y, cv=5, scoring="roc_auc")
        print(f"{name}: AUC {scores[name].mean():.3f}")
    figure, axis = plt.subplots(figsize=(5, 3))
    axis.plot(list(scores), list(scores.values()), "o-", lw=0.5)
    axis.set_ylabel("AUC, each fold a line")
    figure.tight_layout()
    figure.savefig(out / "pipeline.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
