"""Studies of utility.

python -m experiments.utility simulation [STUDY ...]
TABSEED_DATA=... python -m experiments.utility real [TABLE ...]     # resumable
"""

from __future__ import annotations

import sys

from experiments.common.machine import one_thread

one_thread()

from experiments.utility import real, simulation  # noqa: E402

if __name__ == "__main__":
    part, *names = sys.argv[1:] or [""]
    simulation.RESULTS.mkdir(parents=True, exist_ok=True)
    if part == "simulation":
        simulation.run(names)
    elif part == "real":
        real.run(names)
    else:
        sys.exit(__doc__)
