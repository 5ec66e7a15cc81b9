"""Waiting for a batch in Python: when it is over, and what is shown meanwhile."""
