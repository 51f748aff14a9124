"""Whether augmentation by rows like the hardest helps.

    TABSEED_DATA=... python -m experiments.targeted PART [ARGS]

PART is ``honest [TABLE ...]``, ``simulation [faithful | honest]`` or ``table2``. Results go to
``results/``, the lines of a cell when it is known; begun again, it goes on.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

PARTS = ("honest", "simulation", "table2")

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in PARTS:
        sys.exit(f"PART is one of {', '.join(PARTS)}")
    import_module(f"experiments.targeted.{sys.argv[1]}").run(sys.argv[2:])
