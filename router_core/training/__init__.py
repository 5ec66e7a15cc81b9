"""Training a router on labelled prompts, with all hyperparameters chosen on inner folds."""
