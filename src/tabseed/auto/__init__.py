"""One generator that chooses: candidates race on held-out rows, and the best draw."""

from tabseed.auto.auto import Auto

__all__ = ["Auto"]
