"""Errors in OpenAI's shape."""
