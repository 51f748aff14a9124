"""Hardness by Shapley values of nearest-neighbour games."""
