"""Submitting a file: it is dropped, estimated, and submitted with options."""
