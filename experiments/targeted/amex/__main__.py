"""The paper's main data: time, memory, and the Gini coefficient with and without rows drawn.

    python -m experiments.targeted.amex --train train_data.csv --labels train_labels.csv
    python -m experiments.targeted.amex simulate --rows 458913 -o DIR    # a pair of that shape

The files are those of Kaggle's amex-default-prediction. A line a stage goes to
``results/amex.csv``. What stages made is kept in ``results/.amex``, by the files' names, sizes and
times; a run that is begun again goes on there. After a change of the code, remove that folder.
Wants Linux (for the peak of memory), and the extras ``experiments``, ``sql`` and ``fast``.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from pathlib import Path

import numpy as np

from experiments.common.machine import machine
from experiments.common.results import read
from experiments.targeted.amex import model, source
from experiments.targeted.amex.columns import FULL_ROWS
from experiments.targeted.amex.simulate import write
from experiments.targeted.amex.stages import Found, Run, Stage, done, stages
from experiments.targeted.gini import gini, right_side
from experiments.targeted.honest import RESULTS
from tabseed.errors import TabseedError
from tabseed.generators import GENERATORS
from tabseed.table.files import write_text

KEYS = ("file", "customers", "generator", "stage", "arm")
FIELDS = (
    *KEYS, "seconds", "processor seconds", "peak MiB", "load", "seconds to fit", "rows learned",
    "rounds", "gini", "gain", "low", "high", "machine",
)  # fmt: skip


def run(asked: Run) -> None:
    """Do the stages, and write a line of each when it is done."""
    asked.folder.mkdir(parents=True, exist_ok=True)
    (asked.cache / ".gitignore").write_text("*\n")
    for stage in stages(asked):
        found = done(asked, stage)
        line = line_of(asked, stage, found)
        keep(line)
        print(*(f"{name} {value}" for name, value in line.items() if value != ""), flush=True)


def line_of(asked: Run, stage: Stage, found: Found) -> dict[str, str]:
    """Give the line of a stage; of a model, with its score and its gain over no rows added."""
    y = source.targets(asked.rows)
    of_generator = stage.arm not in ("", "none")
    line: Found = dict.fromkeys(FIELDS, "") | {
        "file": asked.data.name,
        "customers": len(y),
        "generator": asked.generator if of_generator else "",
        "stage": stage.name,
        "arm": stage.arm,
        "machine": machine(),
    }
    line |= {name: f"{v:.1f}" if isinstance(v, float) else v for name, v in found.items()}
    if stage.name == "model":
        test, own = y[source.Parts.of(y).test], np.load(stage.out).mean(axis=0)
        line["gini"] = f"{gini(right_side(own, test), test):.5f}"
        if stage.arm != "none":
            none = np.load(asked.predictions("none")).mean(axis=0)
            gain = model.gain(test, own, none)
            line |= {k: f"{v:+.5f}" for k, v in zip(("gain", "low", "high"), gain, strict=True)}
    return {name: str(value) for name, value in line.items()}


def keep(line: dict[str, str]) -> None:
    """Put a line into the results, in the place of an older one of its key."""
    path = RESULTS / "amex.csv"
    lines = read(path)
    places = [at for at, old in enumerate(lines) if all(old[k] == line[k] for k in KEYS)]
    for at in places:
        lines[at] = line
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines if places else [*lines, line])
    write_text(text.getvalue(), path, force=True)


def main(words: list[str]) -> None:
    """Take the command line."""
    if words[:1] == ["simulate"]:
        parser = argparse.ArgumentParser(prog="experiments.targeted.amex simulate")
        parser.add_argument("--rows", type=int, default=FULL_ROWS, help="customers")
        parser.add_argument("-o", "--out", type=Path, required=True, help="folder of both files")
        parser.add_argument("--seed", type=int, default=0)
        given = parser.parse_args(words[1:])
        print(*write(given.rows, given.out, given.seed), sep="\n")
        return
    parser = argparse.ArgumentParser(prog="experiments.targeted.amex")
    parser.add_argument("--train", type=Path, required=True, help="train_data.csv of Kaggle")
    parser.add_argument("--labels", type=Path, required=True, help="train_labels.csv of Kaggle")
    parser.add_argument("--generator", choices=list(GENERATORS), default="trees")
    parser.add_argument("--seeds", type=int, default=1, help="of the model; predictions' mean")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--memory", default="4GB", help="of DuckDB, while it reads")
    given = parser.parse_args(words)
    for path in (given.train, given.labels):
        if not path.is_file():
            parser.error(f"{path}: no such file")
    run(
        Run(
            given.train,
            given.labels,
            RESULTS / ".amex",
            given.generator,
            given.seeds,
            given.jobs,
            given.memory,
        )
    )


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except TabseedError as error:
        sys.exit(f"error: {error}")
