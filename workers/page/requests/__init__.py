"""A request on the page, found by its custom_id: its decision, its attempts, and for its owner its texts."""
