"""Readers of files: delimited text, JSON lines, Parquet, long tables; each yields raw batches."""
