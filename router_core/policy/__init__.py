"""The choice: from predicted scores, costs and preferences to one model for each prompt."""
