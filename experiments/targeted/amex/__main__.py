"""The paper's main data: time, memory, and the Gini coefficient with and without added rows.

    python -m experiments.targeted.amex --train train_data.csv --labels train_labels.csv
    python -m experiments.targeted.amex simulate --rows 458913 -o DIR    # a similar pair of files

The files are those of Kaggle's amex-default-prediction. Each stage writes a line to
``results/amex.csv`` and keeps its files in ``results/.amex``, under a key from the names, sizes and
times of the input files, so that a run that is started again continues. Remove that folder after
you change the code. Needs Linux (for the peak memory) and the extras ``experiments``, ``sql`` and
``fast``.
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
from experiments.targeted.amex.stages import Result, Run, Stage, run_stage, stages
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


def run(job: Run) -> None:
    """Run the stages; write the line of each as soon as it ends."""
    job.folder.mkdir(parents=True, exist_ok=True)
    (job.cache / ".gitignore").write_text("*\n")
    for stage in stages(job):
        result = run_stage(job, stage)
        line = line_of(job, stage, result)
        save_line(line)
        print(*(f"{name} {value}" for name, value in line.items() if value != ""), flush=True)


def line_of(job: Run, stage: Stage, result: Result) -> dict[str, str]:
    """Return the line of a stage; for a model, with its score and its gain over no added rows."""
    y = source.targets(job.rows)
    of_generator = stage.arm not in ("", "none")
    line: Result = dict.fromkeys(FIELDS, "") | {
        "file": job.data.name,
        "customers": len(y),
        "generator": job.generator if of_generator else "",
        "stage": stage.name,
        "arm": stage.arm,
        "machine": machine(),
    }
    line |= {name: f"{v:.1f}" if isinstance(v, float) else v for name, v in result.items()}
    if stage.name == "model":
        test, scores = y[source.Parts.of(y).test], np.load(stage.out).mean(axis=0)
        line["gini"] = f"{gini(right_side(scores, test), test):.5f}"
        if stage.arm != "none":
            none = np.load(job.predictions("none")).mean(axis=0)
            gain = model.gain(test, scores, none)
            line |= {k: f"{v:+.5f}" for k, v in zip(("gain", "low", "high"), gain, strict=True)}
    return {name: str(value) for name, value in line.items()}


def save_line(line: dict[str, str]) -> None:
    """Write a line to the results; it replaces an older line with its key."""
    path = RESULTS / "amex.csv"
    lines = read(path)
    matches = [index for index, old in enumerate(lines) if all(old[k] == line[k] for k in KEYS)]
    for index in matches:
        lines[index] = line
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines if matches else [*lines, line])
    write_text(text.getvalue(), path, force=True)


def main(argv: list[str]) -> None:
    """Run the command line."""
    if argv[:1] == ["simulate"]:
        parser = argparse.ArgumentParser(prog="experiments.targeted.amex simulate")
        parser.add_argument("--rows", type=int, default=FULL_ROWS, help="customers")
        parser.add_argument("-o", "--out", type=Path, required=True, help="folder for both files")
        parser.add_argument("--seed", type=int, default=0)
        arguments = parser.parse_args(argv[1:])
        print(*write(arguments.rows, arguments.out, arguments.seed), sep="\n")
        return
    parser = argparse.ArgumentParser(prog="experiments.targeted.amex")
    parser.add_argument("--train", type=Path, required=True, help="train_data.csv from Kaggle")
    parser.add_argument("--labels", type=Path, required=True, help="train_labels.csv from Kaggle")
    parser.add_argument("--generator", choices=list(GENERATORS), default="trees")
    parser.add_argument("--seeds", type=int, default=1, help="models to average over")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--memory", default="4GB", help="memory limit of DuckDB while it reads")
    arguments = parser.parse_args(argv)
    for path in (arguments.train, arguments.labels):
        if not path.is_file():
            parser.error(f"{path}: no such file")
    run(
        Run(
            arguments.train,
            arguments.labels,
            RESULTS / ".amex",
            arguments.generator,
            arguments.seeds,
            arguments.jobs,
            arguments.memory,
        )
    )


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except TabseedError as error:
        sys.exit(f"error: {error}")
