"""Checks of labels that can be read, and are probably not what their author meant."""
