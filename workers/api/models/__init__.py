"""The models that a key may use."""
