"""Differential privacy: what epsilon costs, by the number of rows."""
