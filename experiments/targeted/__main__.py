"""Whether augmentation by rows like the hardest helps.

    TABSEED_DATA=... python -m experiments.targeted [TABLE ...]

Results go to ``results/honest.csv``, the lines of a cell when it is known; begun again, it goes on.
"""

from __future__ import annotations

import os
import sys

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from experiments.targeted import honest  # noqa: E402

if __name__ == "__main__":
    honest.RESULTS.mkdir(parents=True, exist_ok=True)
    honest.run(sys.argv[1:])
