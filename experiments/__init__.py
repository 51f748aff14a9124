"""Studies: one folder each, with the command that runs it and the results it gave."""
