"""Does augmentation with rows like the hardest help?

    TABSEED_DATA=... python -m experiments.targeted honest [TABLE ...]
    python -m experiments.targeted simulation [faithful | honest]
    TABSEED_DATA=... python -m experiments.targeted table2 [faithful | honest | amounts] [TABLE ...]

Results go to ``results/``, the lines of each cell as soon as they are known; resumable.
"""

from __future__ import annotations

import sys

from experiments.common.machine import one_thread

one_thread()

from experiments.targeted import honest, simulation_faithful, simulation_honest, table2  # noqa: E402

SIMULATIONS = {"faithful": simulation_faithful.run, "honest": simulation_honest.run}


def simulation(names: list[str]) -> None:
    """Run the named simulations, or both."""
    for name in set(names) - set(SIMULATIONS):
        raise SystemExit(f"{name!r} is no simulation; choose from {', '.join(SIMULATIONS)}")
    for name in names or SIMULATIONS:
        SIMULATIONS[name]()


PARTS = {"honest": honest.run, "simulation": simulation, "table2": table2.run}

if __name__ == "__main__":
    part, *names = sys.argv[1:] or [""]
    if part not in PARTS:
        sys.exit(f"PART is one of {', '.join(PARTS)}")
    PARTS[part](names)
