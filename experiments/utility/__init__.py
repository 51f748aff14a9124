"""Utility of synthetic tables: simulated laws with known gaps, and real tables."""
