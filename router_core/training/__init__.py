"""Training a router on labelled prompts, with every hyperparameter chosen on inner folds."""
