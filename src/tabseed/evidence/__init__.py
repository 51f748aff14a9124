"""Evidence: what a committee needs to decide on the release of a synthetic table, in one file."""
