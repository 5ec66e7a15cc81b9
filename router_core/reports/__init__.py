"""Reports of evaluations: plots as PNG and one HTML page that needs no other file."""
