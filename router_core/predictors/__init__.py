"""What predicts: features of a prompt, the category detector, the regressors, the memory, the classifier."""
