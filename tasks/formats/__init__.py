"""Batch files: requests are read from them, results are written to them, both as streams."""
