"""What kind a column is, found from its cells and its name; each answer comes with its reason."""
