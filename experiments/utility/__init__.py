"""Utility of synthetic tables: simulated laws whose gaps are known, and real tables."""
