"""The CARGO router as a pure library: it reads no environment variables and opens no sockets or databases."""
