"""Batch files: requests are read from them and results are written to them, both as streams."""
