"""What the API server keeps: keys, files, its batches, and the order in which their requests ended."""
