"""Structured logs: a JSON object a line, with names of events that docs/monitoring.md lists."""
