"""The Batch API below its HTTP layer: creation, validation, deadlines and files of batches."""
