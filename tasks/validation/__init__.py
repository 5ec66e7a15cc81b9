"""Answers checked against what their requests demand: JSON schemas, and validators that a user names."""
