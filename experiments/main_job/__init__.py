"""The main job measured, from a small table to the judgement of rows that trained nothing."""
