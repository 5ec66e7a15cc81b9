"""Where the repository's files lie."""

from pathlib import Path

#: the root of the repository
REPOSITORY = Path(__file__).parents[2]
#: a router and a store that version 0.1.0 wrote, and what its commands printed of them
GOLDEN = REPOSITORY / "tests" / "data" / "golden"
