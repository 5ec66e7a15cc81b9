"""The choice of a model for each prompt, from predicted scores, expected costs and the user's preferences."""
