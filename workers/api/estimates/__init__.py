"""`/v1/estimates`: what a file would cost as a batch; a process of its own loads the router."""
