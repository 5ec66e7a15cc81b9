"""Where Redis and the database are: URLs of several hosts, Redis clients, and the Celery transports."""
