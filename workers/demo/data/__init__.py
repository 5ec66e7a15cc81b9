"""The demo's data, written for this project: labelled prompts to train on, and a batch to answer."""
