"""Labelled prompts: reading, hashing, splitting and sampling."""
