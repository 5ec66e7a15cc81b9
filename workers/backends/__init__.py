"""Where the Python API's batches are: in a store that it opens itself, or at an API server."""
