"""Webhooks: the ends of batches, signed as Standard Webhooks says, sent where an operator said."""
