"""The gain from each inductive bias, against every control."""
