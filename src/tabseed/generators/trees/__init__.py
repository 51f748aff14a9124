"""Trees, one column after another, and the adversarial forest."""
