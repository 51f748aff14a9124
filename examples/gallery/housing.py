"""Flats whose areas add up: rules that every row keeps.

The sum is found by itself. What nobody could find in 250 rows, that a flat is sold after it was
built, is declared.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa

import tabseed as ts


def flats(n: int = 250) -> pa.Table:
    """Return flats: living and other rooms make the area, the price follows area and year."""
    rng = np.random.default_rng(7)
    living = np.round(rng.gamma(9, 4, n), 1)
    other = np.round(rng.gamma(5, 6, n), 1)
    built = rng.integers(1900, 2021, n)
    sold = np.minimum(2025, built + rng.geometric(0.08, n))
    price = np.round(
        (living + other) * (2_000 + 8 * (built - 1900)) * rng.lognormal(0, 0.15, n), -3
    )
    area = np.round(living + other, 1)
    return pa.table(
        {
            "living": living,
            "other": other,
            "area": area,
            "built": built,
            "sold": sold,
            "price": price,
        }
    )


def main(out: Path) -> None:
    """Learn with and without rules and draw; write ``housing.svg`` to a folder."""
    table = ts.Table.from_frame(flats(), rules=["built <= sold", "price % 1000 = 0"])
    model = ts.GaussianCopula(random_state=0).fit(table)
    print("\n".join(model.summary()))
    drawn = model.draw(1_000)
    wild = ts.GaussianCopula(random_state=0).fit(
        flats(), encoder=ts.TableEncoder(identities=False).fit(ts.Table.from_frame(flats()))
    )
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharex=True, sharey=True)
    for axis, title, rows in zip(
        axes, ("with rules", "without"), (drawn, wild.draw(1_000)), strict=True
    ):
        parts = rows.numbers("living") + rows.numbers("other")
        axis.plot(parts, rows.numbers("area"), ".", ms=3)
        broken = int((np.abs(parts - rows.numbers("area")) > 0.11).sum())
        axis.set_title(f"{title}: {broken} of 1,000 do not add up")
        axis.set_xlabel("living + other")
    axes[0].set_ylabel("area")
    figure.tight_layout()
    figure.savefig(out / "housing.svg")
    assert (drawn.numbers("built") <= drawn.numbers("sold")).all()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
