"""Generators of trees: one column after another, and the adversarial forest."""
