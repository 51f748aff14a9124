"""The simulated classes of arXiv 2410.00759 on repeated splits: every arm, equal added rows.

:func:`tabseed.evaluate_augmentation` on the paper's 10,000 rows, with its XGBoost, which sees one
of the two features in each tree (``colsample`` 0.6), and with an XGBoost that sees both (1).
"""

from __future__ import annotations

from typing import Any

import tabseed as ts
from experiments.common.results import Results
from experiments.targeted.clusters import COLSAMPLE, SHARE, PaperTVAE, boosting, rows
from experiments.targeted.honest import DRAWS, RESULTS, SPLITS, arm_lines

GENERATORS: dict[str, Any] = {"trees": ts.SequentialTrees, "tvae": PaperTVAE}


def run() -> None:
    """Measure the missing arms, on repeated splits of all rows."""
    results = Results(RESULTS / "simulation_honest.csv", ("colsample", "generator", "arm"))
    x, y = rows()
    for generator, make in GENERATORS.items():
        for colsample in COLSAMPLE:
            key = {"colsample": str(colsample), "generator": generator}
            if results.has(**key, arm="smote"):
                continue
            evaluation = ts.evaluate_augmentation(
                x,
                y,
                ts.TargetedAugmenter(make(), ts.KNNShapley(n_neighbors=5), hardest=SHARE),
                model=boosting(colsample),
                protocol=ts.AugmentationProtocol(splits=SPLITS, draws=DRAWS),
                random_state=0,
            )
            results.add_new({**key, **line} for line in arm_lines(evaluation, 6))
