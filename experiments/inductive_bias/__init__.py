"""What each inductive bias adds, against every control."""
