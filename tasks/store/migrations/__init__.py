"""The store's schema, version by version: alembic's scripts, run by `tasks.store.schema`."""

from __future__ import annotations

import logging
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

_REVISION = re.compile(r"(\d{4})_\w+\.py")


@cache
def head() -> str:
    """Return the newest revision, by its file's name: looking costs nothing, importing alembic would."""
    names = (_REVISION.fullmatch(file.name) for file in files(__name__).joinpath("versions").iterdir())
    return max(name[1] for name in names if name)


def upgrade(connection: Connection, *, to: str = "head") -> None:
    """Bring the tables to a revision, within the connection's transaction."""
    _commands().upgrade(config(connection), to)


def stamp(connection: Connection, revision: str) -> None:
    """Note that the tables are those of this revision."""
    _commands().stamp(config(connection), revision)


def config(connection: Connection) -> Config:
    """Alembic's configuration, without its ini file."""
    from alembic.config import Config

    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", str(Path(str(files(__name__)))).replace("%", "%%"))
    return made


def _commands() -> ModuleType:
    # Before the import, which already tells of plugins: people asked for their batch, not for this.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command

    return command
