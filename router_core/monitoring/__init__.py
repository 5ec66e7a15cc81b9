"""Monitoring a router that is in use: drift of the prompts, and the canary comparison."""
