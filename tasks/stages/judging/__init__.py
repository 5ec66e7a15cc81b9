"""The judge stage: which answers judges compare next, what they are shown, and what they said."""
