"""The learning loop: collecting answers, judging them, and turning the judgements into labels."""
