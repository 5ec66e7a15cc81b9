"""The progress of a batch as server-sent events."""
