"""The predictors: a prompt's category, each model's score and cost, and the better of two models."""
