"""Reports, progress and estimates as text and tables, for terminals and files."""
