"""To R and back through Parquet.

In R:

    library(arrow)
    write_parquet(palmerpenguins::penguins, "penguins.parquet")
    system("tabseed synth penguins.parquet -o synthetic.parquet --rows 344")
    synthetic <- read_parquet("synthetic.parquet")   # factors come back as factors
    summary(lm(body_mass_g ~ flipper_length_mm + species, synthetic))

Here the same with a factor as R writes it, a dictionary in Arrow, and several tables whose
estimates are combined.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import tabseed as ts

HERE = Path(__file__).parent


def slope(table: pa.Table) -> tuple[float, float]:
    """Return the slope of mass on flipper length, in g per mm, and its variance."""
    kept = table.select(["flipper_length_mm", "body_mass_g"]).drop_null()
    x, y = (kept[name].to_numpy().astype(float) for name in kept.column_names)
    x = x - x.mean()
    b = float(x @ y / (x @ x))
    error = y - y.mean() - b * x
    return b, float(error @ error / (len(x) - 2) / (x @ x))


def main(out: Path) -> None:
    """Draw five tables, fit the same line to each, combine; write ``from_r.svg`` to a folder."""
    penguins = ts.read_table(HERE.parent / "penguins.csv")
    factor = penguins["species"].combine_chunks().dictionary_encode()
    penguins = penguins.set_column(0, "species", factor)
    pq.write_table(penguins, out / "penguins.parquet")
    real = ts.read_table(out / "penguins.parquet")
    tables = ts.independent_sets(ts.SequentialTrees(proper=True, random_state=0), real, 344, 5)
    assert pa.types.is_dictionary(tables[0].schema.field("species").type)
    estimates, variances = zip(*map(slope, tables), strict=True)
    combined = ts.combine_estimates(estimates, variances, n=344, k=344, rule="proper")
    print("grams per mm:", combined)
    figure, axis = plt.subplots(figsize=(6, 2.6))
    lines = {"real": slope(real)}
    pairs = zip(estimates, variances, strict=True)
    lines |= {f"synthetic {k}": line for k, line in enumerate(pairs, 1)}
    lines["combined"] = float(combined.estimate), float(combined.variance)
    for at, (name, (b, v)) in enumerate(lines.items()):
        color = "C0" if name.startswith("synthetic") else "black"
        axis.errorbar(b, -at, xerr=1.96 * np.sqrt(v), fmt="o", capsize=3, color=color)
    axis.set_yticks(-np.arange(len(lines)), list(lines))
    axis.set_xlabel("grams per mm of flipper")
    figure.tight_layout()
    figure.savefig(out / "from_r.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
