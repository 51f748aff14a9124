"""What always holds in a table: rules as text, checked on rows, kept by generators."""
