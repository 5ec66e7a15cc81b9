"""What the page keeps in the store: sessions of browsers, and the figures of batches over time."""
