"""Measure what inductive bias adds.

    TABSEED_DATA=... python -m experiments.inductive_bias honest [CODING:TABLE ...]
    TABSEED_DATA=... python -m experiments.inductive_bias faithful [TABLE ...]

``CODING`` is authors (their processed tables) or raw; all of both without names. Results go to
``results/*.csv``, a line as soon as it is known; a run that is begun again, after whatever end,
skips the lines that stand there and ends with the same ones.
"""

from __future__ import annotations

import sys

from experiments.common.machine import one_thread

one_thread()  # two processes share two cores

from experiments.inductive_bias import faithful, honest  # noqa: E402

if __name__ == "__main__":
    study, *names = sys.argv[1:] or ["all"]
    honest.RESULTS.mkdir(parents=True, exist_ok=True)
    if study in ("honest", "all"):
        for name in names or [f"{c}:{t}" for c in ("authors", "raw") for t in honest.TABLES]:
            honest.run(*name.split(":"))
    if study in ("faithful", "all"):
        for name in names or honest.TABLES:
            faithful.run(name)
