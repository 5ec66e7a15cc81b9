"""The input formats of batch files, one module per format, and the checks that they share."""
