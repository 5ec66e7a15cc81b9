"""Whether work can go on: which workers are alive, which roles are missing, and what calls failed with."""
