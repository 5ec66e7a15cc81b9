"""Archives of batches: their rows as Parquet files, and back."""
