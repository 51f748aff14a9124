"""Hardness from how models treat each row during training."""
