"""The learning loop in the store: sampled prompts, their answers, judges' verdicts, and people's labels."""
