"""Numbers with their intervals, over rows, splits, seeds and draws."""
