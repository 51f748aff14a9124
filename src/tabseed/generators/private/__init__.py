"""Generators with a guarantee: differential privacy, by the mechanisms of OpenDP."""
