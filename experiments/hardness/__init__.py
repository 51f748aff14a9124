"""Which scores find rows that were made hard, and what their removal does."""
