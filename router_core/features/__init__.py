"""The features of a prompt (words, surface, shape), and their reduction to a representation."""
