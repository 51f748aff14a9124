"""Where the tables lie: the folder that the environment variable TABSEED_DATA names."""

from __future__ import annotations

import os
from pathlib import Path

DATA = Path(os.environ.get("TABSEED_DATA", "data"))
