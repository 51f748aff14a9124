"""Random streams of the commands: below the user's seed, each use has its own stream."""

from __future__ import annotations

from enum import IntEnum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@unique
class Use(IntEnum):
    """What a command needs randomness for; the numbers are far from those of generators."""

    SPLIT = 1001
    SYNTH = 1002
    SAMPLE = 1003
    AUGMENT = 1004
    JUDGE_AUGMENTATION = 1005
    TUNE = 1006
    UTILITY = 1007
    IDS = 1008
    AUTO = 1009
    ADVISE = 1010


def stream_for(use: Use, seed: int, *path: int) -> np.random.SeedSequence:
    """Return the stream of one use below the user's seed, or one at a ``path`` below that."""
    from tabseed._random import child, seed_sequence

    return child(seed_sequence(seed), use, *path)
