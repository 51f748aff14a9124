"""``python -m tabseed`` is the command ``tabseed``."""

from tabseed.cli import main

main()
