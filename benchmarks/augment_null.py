"""How often does the verdict on augmentation claim a gain where none is possible?

    python -m benchmarks.augment_null

Labels are drawn independently of the features (200 rows, five normal features, two classes in
equal parts), so no augmentation can help. 100 tables per model: logistic regression, and a tree of
depth 4, which follows the added rows more closely. All arms of ``evaluate_augmentation``, ten
splits, one draw, a smoothed bootstrap as the generator. ``gaining`` names the arms with a claimed
gain; ``hardest`` is the mean difference in Gini from no augmentation, ``low`` and ``high`` its
interval. Writes ``results/augment_null.csv``; resumable.
"""

from __future__ import annotations

from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.tree import DecisionTreeClassifier  # noqa: E402

import tabseed as ts  # noqa: E402
from experiments.common.results import Results  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "augment_null.csv"
MODELS = {"logistic": LogisticRegression(), "tree": DecisionTreeClassifier(max_depth=4)}
TABLES, ROWS, FEATURES = 100, 200, 5


def main() -> None:
    results = Results(RESULTS, ("model", "table"))
    augmenter = ts.TargetedAugmenter(ts.Resample(smoothing=0.5), hardest=0.2)
    for table in range(TABLES):
        rng = np.random.default_rng(table)
        x, y = rng.standard_normal((ROWS, FEATURES)), rng.permutation(np.arange(ROWS) % 2)
        for name, model in MODELS.items():
            key = {"model": name, "table": table}
            if results.has(**key):
                continue
            estimate = ts.evaluate_augmentation(
                x,
                y,
                augmenter,
                model=model,
                protocol=ts.AugmentationProtocol(draws=1),
                random_state=table,
            )
            hardest = next(d for d in estimate.against_none if d.arm == "hardest")
            interval = {"hardest": hardest.mean, "low": hardest.low, "high": hardest.high}
            results.add({**key, "gaining": " ".join(estimate.gaining), **interval})
    for name in MODELS:
        rows = [row for row in results.rows if row["model"] == name]
        claims = sum(bool(row["gaining"]) for row in rows)
        missed = sum(not float(row["low"]) <= 0 <= float(row["high"]) for row in rows)
        print(
            f"{name}: claims a gain on {claims} of {len(rows)} tables; "
            f"the interval of 'hardest' misses 0 on {missed}"
        )


if __name__ == "__main__":
    main()
