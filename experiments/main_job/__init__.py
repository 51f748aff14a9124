"""The main job, measured from a small table to its judgement by held-out rows."""
