"""Router versions: their files, their roles, the comparison of a canary, and drift."""
