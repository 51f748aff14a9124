"""What ``skip="mislabelled"`` does with and without wrong labels.

    TABSEED_DATA=... python -m experiments.targeted.skip

Ten splits per table, four fifths train. None or 10 % of the labels are flipped, in the training
rows only (``tabseed.perturb``, "uniform"); test rows keep their labels and score the model once.
All arms except "none" and "dropped" add the same number of rows (a tenth of the training rows):

    none             the training rows as they are, wrong labels among them
    hardest          rows like the hardest of each class
    hardest, skip    the same, but rows with the hint "mislabelled" are not candidates
    dropped          training without the hinted rows, nothing added

Generator: sequential trees, three draws from one fit. Model: scikit-learn's boosted trees; the
inner validation rows (wrong labels among them) choose its rounds, the same in all arms. A line of
``results/skip.csv`` is a split and an arm; resumable. At the end the script writes the picture and
the table in README.md.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402
from matplotlib import pyplot as plt  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: E402
from sklearn.metrics import roc_auc_score  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402

import tabseed as ts  # noqa: E402
from experiments.common.markdown import fill, table  # noqa: E402
from experiments.common.pictures import save, style  # noqa: E402
from experiments.common.results import Results, Row, read  # noqa: E402
from experiments.targeted.honest import RESULTS, rows_of  # noqa: E402
from tabseed.augment.arms import with_rounds  # noqa: E402
from tabseed.coding.points import Features  # noqa: E402
from tabseed.estimates.splits import Difference, compare  # noqa: E402
from tabseed.hardness.hints import hints  # noqa: E402

TABLES = ("breast_cancer_wdbc", "diabetes_pima", "german_credit", "heart_cleveland")
FLIPPED = (0.0, 0.1)
HINT = "mislabelled"
ARMS = ("hardest", "hardest, skip", "dropped")
SPLITS, DRAWS, TEST, HARDEST = 10, 3, 0.2, 0.1
KEYS = ("table", "flipped", "split", "arm")
README = Path(__file__).parent / "README.md"
PICTURE = Path(__file__).parent / "skip.svg"
COLOURS = {"hardest": "#b0413e", "hardest, skip": "#d08a00", "dropped": "#0b6e4f"}


@dataclass(frozen=True)
class Split:
    """Training rows with flipped labels, which of these are wrong or hinted, and test rows."""

    rows: ts.Table
    y: np.ndarray
    wrong: np.ndarray
    hinted: np.ndarray
    points: Features
    model: Any  # with its chosen rounds
    test: tuple[np.ndarray, np.ndarray]  # points, and whether a row is of the second class
    positive: Any  # the second class
    seed: int  # of the augmenters

    @classmethod
    def of(cls, features: ts.Table, labels: np.ndarray, flipped: float, split: int) -> Split:
        """Return the split with this number: flip labels, choose the rounds of the model."""
        seeds = [int(s) for s in np.random.SeedSequence([2410, split]).generate_state(4) >> 1]
        train, test = train_test_split(
            np.arange(len(labels)), test_size=TEST, stratify=labels, random_state=seeds[0]
        )
        rows = features.take(train)
        perturbed = ts.perturb(rows, labels[train], "uniform", share=flipped, random_state=seeds[1])
        y = perturbed.y
        points = Features().fit(rows)
        x = points.transform(rows)
        inner, validation = train_test_split(
            np.arange(len(y)), test_size=TEST, stratify=y, random_state=seeds[2]
        )
        model = HistGradientBoostingClassifier(learning_rate=0.05, max_iter=1_000, random_state=0)
        model = with_rounds(model, (x[inner], y[inner]), (x[validation], y[validation]))
        hinted = hints(rows, y, task="classification") == HINT
        positive = np.unique(labels)[1]
        test_rows = points.transform(features.take(test)), labels[test] == positive
        return cls(rows, y, perturbed.changed, hinted, points, model, test_rows, positive, seeds[3])

    @property
    def m(self) -> int:
        """The number of rows that an arm adds."""
        return round(HARDEST * len(self.y))

    def gini(self, x: np.ndarray, y: np.ndarray) -> float:
        """Train on these points and labels; return the Gini of the test rows."""
        model = self.model.fit(x, y)
        share = model.predict_proba(self.test[0])[:, list(model.classes_).index(self.positive)]
        return float(2 * roc_auc_score(self.test[1], share) - 1)

    def added(self, augmenter: ts.TargetedAugmenter) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return DRAWS batches of m rows, all from one fit."""
        features_added, labels_added = augmenter.fit_resample(self.rows, self.y)
        n, m = len(self.y), self.m
        synthetic = self.points.transform(features_added)[n:], labels_added[n:]
        assert len(synthetic[0]) >= DRAWS * m
        return [tuple(part[g * m : (g + 1) * m] for part in synthetic) for g in range(DRAWS)]


def measured(features: ts.Table, labels: np.ndarray, flipped: float, split: int) -> list[Row]:
    """Run all arms on one split; return a line for each arm."""
    data = Split.of(features, labels, flipped, split)
    x, y, wrong, hinted = data.points.transform(data.rows), data.y, data.wrong, data.hinted
    lines = []
    for arm in ("none", *ARMS):
        learned, trained = np.zeros(len(y), dtype=bool), np.ones(len(y), dtype=bool)
        batches = [(x[:0], y[:0])]
        if arm == "dropped":
            trained = ~hinted
        elif arm != "none":
            augmenter = augmenter_of(arm, data.seed)
            batches = data.added(augmenter)
            learned = augmenter.hard_
        scores = [
            data.gini(
                np.concatenate([x[trained], x_added]), np.concatenate([y[trained], labels_added])
            )
            for x_added, labels_added in batches
        ]
        lines.append(
            {
                "arm": arm,
                "gini": f"{np.mean(scores):.6f}",
                "train": len(y),
                "wrong": int(wrong.sum()),
                "hinted": int(hinted.sum()),
                "hinted wrong": int((hinted & wrong).sum()),
                "learned": int(learned.sum()),
                "learned wrong": int((learned & wrong).sum()),
                "added": 0 if arm in ("none", "dropped") else data.m,
            }
        )
    return lines


def augmenter_of(arm: str, seed: int) -> ts.TargetedAugmenter:
    """Return the augmenter of an arm; it draws more rows than DRAWS batches need."""
    return ts.TargetedAugmenter(
        ts.SequentialTrees(),
        ts.KNNShapley(),
        hardest=HARDEST,
        amount=DRAWS + 1,
        per_class=True,
        skip=HINT if arm.endswith("skip") else None,
        random_state=seed,
    )


def run() -> None:
    """Measure the missing splits."""
    results = Results(RESULTS / "skip.csv", KEYS)
    for split in range(SPLITS):
        for name in TABLES:
            features, labels, _ = rows_of(name)
            for flipped in FLIPPED:
                key = {"table": name, "flipped": str(flipped), "split": split}
                if results.has(**key, arm=ARMS[-1]):
                    continue
                lines = measured(features, labels, flipped, split)
                results.add_new({**key, **line} for line in lines)


# --- table and picture --------------------------------------------------------------------------

Cell = tuple[str, str]


def by_cell() -> dict[Cell, dict[str, list[dict[str, str]]]]:
    """Return the lines by table and flipped share, then by arm, in the order of splits."""
    cells: dict[Cell, dict[str, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for row in read(RESULTS / "skip.csv"):
        cells[row["table"], row["flipped"]][row["arm"]].append(row)
    return cells


def gain(arms: dict[str, list[dict[str, str]]], arm: str, against: str) -> Difference:
    """Return the mean paired difference, with the corrected interval."""
    one, other = (np.array([float(r["gini"]) for r in arms[a]]) for a in (arm, against))
    return compare(arm, against, one - other, TEST / (1 - TEST))


def share(rows: list[dict[str, str]], part: str, whole: str) -> str:
    """Return the share of ``part`` in ``whole``, summed over all splits, in percent."""
    total = sum(int(r[whole]) for r in rows)
    return f"{100 * sum(int(r[part]) for r in rows) / total:.0f} %" if total else ""


def summary() -> str:
    """Return a line for each table and flipped share."""
    head = ["table", "flipped", "Gini, none", *ARMS, "skip over hardest", "wrong among the hard"]
    head += ["with skip", "wrong rows hinted", "hinted rows wrong"]
    lines = []
    for (name, flipped), arms in by_cell().items():
        none, hardest, skipping = (arms[a] for a in ("none", "hardest", "hardest, skip"))
        mean = np.mean([float(r["gini"]) for r in none])
        gains = [shown(gain(arms, arm, "none")) for arm in ARMS]
        line = [name, f"{float(flipped):.0%}", f"{mean:.3f}", *gains]
        line += [shown(gain(arms, "hardest, skip", "hardest"))]
        line += [share(rows, "learned wrong", "learned") for rows in (hardest, skipping)]
        line += [share(none, "hinted wrong", "wrong"), share(none, "hinted wrong", "hinted")]
        lines.append(line)
    return table(head, lines)


def shown(d: Difference) -> str:
    """Return a difference ± half its interval, in bold if the interval excludes 0."""
    text = f"{d.mean:+.3f} ± {(d.high - d.low) / 2:.3f}"
    return f"**{text}**" if d.p < 0.05 else text


def draw() -> None:
    """Draw a panel for each flipped share: tables on y, gains over none on x, with intervals."""
    style()
    figure, panels = plt.subplots(1, len(FLIPPED), figsize=(10, 4.6), sharex=True, sharey=True)
    cells = by_cell()
    for axes, flipped in zip(panels, FLIPPED, strict=True):
        for row, name in enumerate(TABLES):
            for k, arm in enumerate(ARMS):
                d = gain(cells[name, str(flipped)], arm, "none")
                axes.errorbar(
                    d.mean,
                    row + 0.2 * (k - (len(ARMS) - 1) / 2),
                    xerr=(d.high - d.low) / 2,
                    fmt="o",
                    color=COLOURS[arm],
                    markersize=5,
                    linewidth=1,
                    label=arm if row == 0 else None,
                )
        axes.axvline(0, color="#bbbbbb", linewidth=1, linestyle=":")
        axes.set_title(f"{flipped:.0%} of the training labels flipped")
        axes.set_xlabel("gain in Gini over the training rows as they are")
    panels[0].set_yticks(range(len(TABLES)), TABLES)
    panels[0].invert_yaxis()
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="lower center", ncols=len(ARMS), frameon=False)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    save(figure, PICTURE)


if __name__ == "__main__":
    RESULTS.mkdir(parents=True, exist_ok=True)
    run()
    draw()
    fill(README, {"SKIP": summary()})
