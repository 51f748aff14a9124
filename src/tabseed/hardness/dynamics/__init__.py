"""Hardness by what training says of each row."""
