"""Text embeddings: the encoders, the files they are loaded from, and the vector cache on disk."""
