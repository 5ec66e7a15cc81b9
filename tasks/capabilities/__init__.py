"""What models can do: which requests each of them can answer."""
