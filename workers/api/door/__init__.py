"""What every request passes: limits, request ids, the log."""
