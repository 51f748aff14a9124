"""200 scanned digits of 64 pixels: a wide table that one can look at.

Each row is a picture, so what a generator gets right and wrong can be seen.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
from sklearn.datasets import load_digits

import tabseed as ts


def main(out: Path) -> None:
    """Learn 200 digits, draw ten of each of two kinds; write ``wide.svg`` to a folder."""
    pixels, digit = load_digits(return_X_y=True)
    some = np.random.default_rng(0).permutation(len(digit))[:200]
    columns = {f"p{j:02d}": pixels[some, j].astype(int) for j in range(64)}
    table = ts.Table.from_frame(
        pa.table(columns | {"digit": digit[some].astype(str)}),
        kinds={name: "integer" for name in columns},
    )
    shown = {"real": pixels[some][np.argsort(digit[some], kind="stable")[::20]]}
    for model in (ts.SequentialTrees(random_state=0), ts.GaussianCopula(random_state=0)):
        model.fit(table, target="digit")
        rows = [model.draw(1, conditions={"digit": str(d)}, random_state=d) for d in range(10)]
        shown[type(model).__name__] = np.array(
            [[row.numbers(name)[0] for name in columns] for row in rows]
        )
    figure, axes = plt.subplots(3, 10, figsize=(8, 2.8))
    for line, (name, images) in zip(axes, shown.items(), strict=True):
        for axis, image in zip(line, images, strict=True):
            axis.imshow(image.reshape(8, 8), cmap="gray_r")
            axis.set_xticks([])
            axis.set_yticks([])
        line[0].set_ylabel(name, rotation=0, ha="right", fontsize=8)
    figure.tight_layout()
    figure.savefig(out / "wide.svg")
    print(f"{len(columns)} pixels, {len(some)} rows")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
