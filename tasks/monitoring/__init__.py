"""What a process counts for `/metrics`, and how its counts get into the store: ids and texts never do."""
