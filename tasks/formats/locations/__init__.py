"""Where files live: paths and URLs, opened for reading and written as a whole."""
