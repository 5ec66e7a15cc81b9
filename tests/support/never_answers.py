"""A program that never answers, for tests of who waits for it."""

import threading

if __name__ == "__main__":
    threading.Event().wait()
