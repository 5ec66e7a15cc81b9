"""The local stack: Redis, the simulator, the workers and Flower under one supervisor."""
