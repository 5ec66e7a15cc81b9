"""Providers' responses, which are untrusted: from bytes to an answer that is kept, or to a failure."""
