"""The process that validates files, stores requests and ends batches."""
