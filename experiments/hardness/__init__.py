"""Which scores detect rows that were made hard, and what their removal does."""
