"""The demo's data, written for this project: labelled prompts that train its router, and a batch to answer."""
