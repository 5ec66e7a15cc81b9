"""Known layouts of data sets and of other providers' batch files, each read into a plain line."""
