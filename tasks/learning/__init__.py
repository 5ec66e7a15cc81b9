"""The learning loop: collecting answers, judging them, and the labels that follow."""
