"""Batches on the page: the list, one of them live, and what can be done to it."""
