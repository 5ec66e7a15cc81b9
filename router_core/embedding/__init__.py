"""Text embeddings: the encoders, the files that they are loaded from, and the vector cache on disk."""
