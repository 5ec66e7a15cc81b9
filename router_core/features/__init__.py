"""What the predictors see of a prompt: word, surface and shape features, and their reduction."""
