"""The protocols of real providers, one module for each: paths, keys, requests, replies, usage and errors.

A protocol reads a request into the simulator's own (requests.py), and lays out the planned reply (plan.py).
"""
