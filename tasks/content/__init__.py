"""The parts of a message: text, images, sounds, files and videos; their checks and their sizes in tokens."""
