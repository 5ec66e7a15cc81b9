"""Celery events of our own, which tell Flower what Celery cannot know; ids, counts and codes only."""
