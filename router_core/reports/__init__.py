"""Reports of evaluations: plots as PNG, and a self-contained HTML page."""
