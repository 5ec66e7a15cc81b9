"""Router versions: their files, which of them routes, and how a canary compares."""
