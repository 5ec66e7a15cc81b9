"""From results to the bytes of a file: one file per format, and the atomic replacement that they share."""
