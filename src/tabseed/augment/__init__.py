"""Augmentation: add rows like the hard ones, and test honestly whether they help."""

HARDEST = 0.1  # the share of rows that a generator learns, unless another share is asked for
