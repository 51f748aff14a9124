"""Augmentation: add rows like the hard ones, and test honestly whether they help."""
