"""What Flower shows beyond Celery's own events: accepted groups, true backlogs, upkeep as a worker."""
