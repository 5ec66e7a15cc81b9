"""The CARGO router as a pure library: it reads no environment and opens no socket or database."""
