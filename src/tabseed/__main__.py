"""Make ``python -m tabseed`` run the command ``tabseed``."""

from tabseed.cli import main

main()
