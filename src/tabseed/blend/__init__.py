"""A generator that draws from several others, each as often as held-out rows say."""

from tabseed.blend.blend import Blend

__all__ = ["Blend"]
