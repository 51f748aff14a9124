"""What studies and benchmarks share; imports nothing from either."""
