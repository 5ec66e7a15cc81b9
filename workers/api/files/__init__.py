"""Files: upload, list, content."""
