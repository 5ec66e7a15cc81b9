"""From the bytes of a batch file to requests: one file per format, and the checks that they share."""
