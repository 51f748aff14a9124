"""A short training."""

from __future__ import annotations

from tabseed.generators.neural.stopping import Training

BRIEF = Training(steps=100, patience=4)
