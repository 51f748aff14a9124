"""Measure the gain from inductive bias.

    TABSEED_DATA=... python -m experiments.inductive_bias honest [CODING:TABLE ...]
    TABSEED_DATA=... python -m experiments.inductive_bias parts [NAME ...]
    TABSEED_DATA=... python -m experiments.inductive_bias faithful [TABLE ...]

``CODING`` is ``authors`` (their processed tables) or ``raw``; without names, all tables of both.
Results go to ``results/*.csv``, each line as soon as it is known; a run that is started again after
an interrupt skips the lines that exist and ends with the same lines.
"""

from __future__ import annotations

import sys

from experiments.common.machine import one_thread

one_thread()  # two processes share two cores

from experiments.inductive_bias import faithful, honest, parts  # noqa: E402

if __name__ == "__main__":
    study, *names = sys.argv[1:] or ["all"]
    honest.RESULTS.mkdir(parents=True, exist_ok=True)
    if study in ("honest", "all"):
        for name in names or [f"{c}:{t}" for c in ("authors", "raw") for t in honest.TABLES]:
            honest.run(*name.split(":"))
    if study in ("parts", "all"):
        for name in names or parts.PARTS:
            parts.run(name)
    if study in ("faithful", "all"):
        for name in names or honest.TABLES:
            faithful.run(name)
