"""The formats of files: text, Parquet and Arrow, workbooks, statistics programs, databases."""
