"""Code that studies and benchmarks share; imports nothing from either."""
