"""The judge stage: it chooses the answers to compare, builds the judges' prompts and parses their replies."""
