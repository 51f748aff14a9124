"""Which scores detect rows that were made hard, and what their removal does.

    TABSEED_DATA=... python -m experiments.hardness honest [TABLE ...]
    TABSEED_DATA=... python -m experiments.hardness faithful [TABLE ...]
    TABSEED_DATA=... python -m experiments.hardness removal [TABLE ...]
    TABSEED_DATA=... python -m experiments.hardness hints [TABLE ...]

Without a name, all four studies run. Results go to ``results/*.csv``, each line as soon as it is
known; a run that is started again after an interrupt skips the lines that exist and ends with the
same lines.
"""

from __future__ import annotations

import sys

from experiments.common.machine import one_thread

one_thread()  # two processes share two cores

from experiments.hardness import faithful, hints, honest, removal  # noqa: E402
from experiments.hardness.tables import RESULTS  # noqa: E402

if __name__ == "__main__":
    study, *names = sys.argv[1:] or ["all"]
    RESULTS.mkdir(parents=True, exist_ok=True)
    if study in ("honest", "all"):
        honest.run(names)
    if study in ("faithful", "all"):
        faithful.run(names)
    if study in ("removal", "all"):
        removal.run(names)
    if study in ("hints", "all"):
        hints.run(names)
