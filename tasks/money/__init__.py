"""Money: budgets as people give them, and what a call costs at most and in fact."""
