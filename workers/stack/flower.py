"""Flower, locked down: behind a password, on loopback, unable to change anything.

Tasks carry two ids and nothing else, so that is all there is to see (DESIGN.md section 6).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tasks.settings import Settings
from workers.stack.private_files import load_or_create_password

USER = "waybill"


def run_flower(
    settings: Settings, *, address: str | None, port: int | None, notify: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT; SettingsError where there is no Redis to look at."""
    settings.redis_url  # noqa: B018 - says what to do when there is none
    # Through the environment: every user of the machine can read a process's arguments.
    os.environ["FLOWER_BASIC_AUTH"] = basic_auth(settings, notify)
    import tasks.app

    address = settings.flower.address if address is None else address
    port = settings.flower.port if port is None else port
    # Flower knows brokers by their scheme, and it takes no work: it needs no transport of ours.
    tasks.app.app.conf.broker_transport = None
    notify(f"Flower: http://{address}:{port}")
    options = (f"--address={address}", f"--port={port}", "--read_only=True", "--inspect_timeout=2000")
    tasks.app.app.start(["--quiet", "flower", *options])


def basic_auth(settings: Settings, notify: Callable[[str], None]) -> str:
    """`user:password` from the environment, or a generated password whose place is told."""
    given = os.environ.get(settings.flower.auth_env)
    if given:
        return given
    file = password_file(settings.home)
    password = load_or_create_password(file)
    notify(f"Flower: user {USER}, password in {file}")
    return f"{USER}:{password}"


def password_file(home: Path) -> Path:
    """Return where the generated password is kept."""
    return home / "run" / "flower.password"
