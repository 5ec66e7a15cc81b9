"""Keys of the API: they are made and checked here; the store holds hashes of their secrets."""
