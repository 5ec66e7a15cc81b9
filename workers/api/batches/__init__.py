"""Batches: create, retrieve, list, cancel."""
