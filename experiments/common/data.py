"""The folder of the tables, from the environment variable TABSEED_DATA."""

from __future__ import annotations

import os
from pathlib import Path

DATA = Path(os.environ.get("TABSEED_DATA", "data"))
