"""The submission of a batch: reading its source, estimating its cost, writing it to the store."""
