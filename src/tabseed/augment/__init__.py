"""Augmentation: add rows like the hard ones, and test honestly whether they help."""

EQUAL = "equal"  # as an amount of rows to draw: as many as make all classes equally large
HARDEST = 0.1  # the share of rows that a generator learns, unless another share is asked for
