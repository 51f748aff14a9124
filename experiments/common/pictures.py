"""The style and the files of pictures: the same results give the same bytes."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt


def style() -> None:
    """Set fonts and sizes, and remove what is random."""
    mpl.rcParams.update({"svg.hashsalt": "tabseed", "svg.fonttype": "none", "font.size": 9})


def save(figure: plt.Figure, path: Path) -> None:
    """Write the picture without a date, and close it."""
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
