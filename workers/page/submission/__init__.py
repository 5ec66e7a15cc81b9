"""Submitting a file: it is dropped, estimated in a process of its own, and submitted with options."""
