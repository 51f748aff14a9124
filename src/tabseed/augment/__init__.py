"""Augmentation: hard rows, more like them, and an honest answer to whether they help."""
