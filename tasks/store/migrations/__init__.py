"""The migrations of the store's schema: Alembic scripts, which `tasks.store.schema` runs."""

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
    """Return the newest revision, from the names of the files: importing Alembic would take longer."""
    names = (_REVISION.fullmatch(file.name) for file in files(__name__).joinpath("versions").iterdir())
    return max(name[1] for name in names if name)


def upgrade(connection: Connection, *, to: str = "head") -> None:
    """Upgrade the tables to a revision, within the connection's transaction."""
    _commands().upgrade(config(connection), to)


def stamp(connection: Connection, revision: str) -> None:
    """Record that the tables have this revision."""
    _commands().stamp(config(connection), revision)


def config(connection: Connection) -> Config:
    """Return Alembic's configuration, made without an ini file."""
    from alembic.config import Config

    configuration = Config(attributes={"connection": connection})
    configuration.set_main_option("script_location", str(Path(str(files(__name__)))).replace("%", "%%"))
    return configuration


def _commands() -> ModuleType:
    # Before the import, which already logs messages that users of Waybill do not need.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command

    return command
