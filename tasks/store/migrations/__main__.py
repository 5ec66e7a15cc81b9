"""A command for developers: `python -m tasks.store.migrations "what it adds"` writes the next migration.

It compares the tables of `tasks.store` with those that the existing migrations create in an empty SQLite
database.
"""

from __future__ import annotations

import sys

from alembic import command

from tasks.store.engine import Store
from tasks.store.migrations import config, head, upgrade


def main(message: str) -> None:
    """Write the migration; a developer must then review and correct it."""
    with Store("sqlite://").write() as connection:
        upgrade(connection)
        number = f"{int(head()) + 1:04d}"
        command.revision(config(connection), message, autogenerate=True, rev_id=number)


if __name__ == "__main__":
    main(sys.argv[1])
