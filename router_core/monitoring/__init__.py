"""Monitoring of a router in use: drift of its prompts, and regressions of a canary."""
