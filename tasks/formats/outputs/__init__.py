"""The output formats, one module per format, and the atomic file replacement that they share."""
