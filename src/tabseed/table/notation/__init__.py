"""How dates, numbers and whole text files are written: read from text, and written again."""
