"""The law of both simulations: the classes of arXiv 2410.00759, section 4.2.

Four Gaussians, two features; the paper's XGBoost, and TVAE with the paper's settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

import tabseed as ts

COLSAMPLE = (0.6, 1.0)
SHARE = 0.05  # of hard rows
BATCHES = 3  # per epoch, as in the paper: 250 rows by 100, 5,000 by 2,000
EPOCHS, WARM_UP, SEEN_EACH, PATIENCE = 500, 100, 5, 50
# u, v: mean, var u, cov, var v of each class's two equal clusters; the columns are (v, u)
LAW = {
    0: (((-1.2, -1.2), (1.14977, -0.42077, 1.48796)), ((1.2, -1.2), (0.05820, 0.07841, 0.24807))),
    1: (((-1.2, 1.2), (1.03074, -0.92805, 0.92616)), ((1.2, 1.2), (0.24761, 0.26900, 0.50068))),
}
Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Data:
    """5,000 training rows, 2,500 to value them, 2,500 to validate; all scaled by the first."""

    train: Pair
    value: Pair
    validate: Pair
    fresh: Pair  # rows of the same law with no other use


def rows() -> Pair:
    """Return all 10,000 rows, not scaled."""
    x, y = make_classification(
        n_samples=10_000,
        n_features=2,
        n_informative=2,
        n_redundant=0,
        n_clusters_per_class=2,
        weights=[0.5, 0.5],
        class_sep=1.2,
        flip_y=0,
        random_state=42,
    )
    return x, y


def fresh(n: int) -> Pair:
    """Return n new rows of each cluster."""
    rng = np.random.default_rng(2410)
    parts = []
    for clusters in LAW.values():
        for mean, (u, cov, v) in clusters:
            parts.append(rng.multivariate_normal(mean, [[u, cov], [cov, v]], n)[:, ::-1])
    return np.concatenate(parts), np.repeat(list(LAW), 2 * n)


def data(n_fresh: int = 5_000) -> Data:
    """Return the rows, split and scaled as in the paper, and 4 ``n_fresh`` new ones."""
    x, y = rows()
    x, x_other, y, y_other = train_test_split(x, y, test_size=0.5, stratify=y, random_state=42)
    value_x, valid_x, value_y, valid_y = train_test_split(
        x_other, y_other, test_size=0.5, stratify=y_other, random_state=42
    )
    scale = StandardScaler().fit(x).transform
    more_x, more_y = fresh(n_fresh)
    pairs = ((x, y), (value_x, value_y), (valid_x, valid_y), (more_x, more_y))
    return Data(*((scale(points), labels) for points, labels in pairs))


def boosting(colsample: float, seed: int = 0) -> Any:
    """Return the paper's XGBoost; the AUC stops it (the Gini is 2 AUC - 1)."""
    return XGBClassifier(
        n_estimators=9_999,
        max_depth=4,
        learning_rate=0.05,
        subsample=0.8,
        colsample_bytree=colsample,
        eval_metric="auc",
        early_stopping_rounds=100,
        n_jobs=1,
        random_state=seed,
    )


class PaperTVAE(BaseEstimator):
    """TVAE with the paper's settings and defaults: one network, stopped by KS distances."""

    min_rows = ts.TVAE.min_rows

    def __init__(
        self,
        latent_dim: int = 64,
        hidden_dim: int = 128,
        importances: dict[str, float] | None = None,
        random_state: Any = None,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden_dim = hidden_dim
        self.importances = importances
        self.random_state = random_state

    def fit(self, table: Any, *, target: str | None = None) -> PaperTVAE:
        """Learn from a frame or Table; return the generator itself."""
        training = ts.Training(
            steps=EPOCHS * BATCHES,
            batch_size=-(-len(table) // BATCHES),
            learning_rate=1e-3,
            validation=0.02,  # the KS statistic on the training rows stops it
            warm_up=WARM_UP * BATCHES,
            patience=PATIENCE // SEEN_EACH,
            tolerance=0.0,
            validate_every=SEEN_EACH * BATCHES,
        )
        network = ts.TVAE(
            self.latent_dim, self.hidden_dim, 0.5, 10, n_seeds=1, training=training, device="cpu"
        )
        stopped = ts.KSStopped(network, self.importances, self.random_state)
        self.generator_ = stopped.fit(table, target=target).generator_
        return self

    def sample(self, n: int, **options: Any) -> Any:
        """Return n rows."""
        return self.generator_.sample(n, **options)
