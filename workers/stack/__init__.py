"""The local stack: Redis, the simulator, the workers and Flower as child processes of one supervisor."""
