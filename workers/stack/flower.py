"""Flower, restricted: it needs a password, listens on loopback, and can change nothing.

A task's arguments are ids, so that Flower shows no prompt and no answer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tasks.settings import Settings
from workers.logs.process_log import log_to_stderr, process_name
from workers.stack.private_files import load_or_create_password
from workers.worker.alive_file import EVERY_S, alive_file

USER = "waybill"


def run_flower(
    settings: Settings, *, address: str | None, port: int | None, notify: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        SettingsError: The settings name no Redis, or it refuses this process or does not answer.
    """
    from workers.worker.services import await_redis

    await_redis(settings.redis_url, "flower", notify=notify)
    # Through the environment: every user of the machine can read a process's arguments.
    os.environ["FLOWER_BASIC_AUTH"] = basic_auth(settings, notify)
    import tasks.app

    address = settings.flower.address if address is None else address
    port = settings.flower.port if port is None else port
    # Flower chooses its client by the scheme of the broker URL, and it consumes no task.
    tasks.app.app.conf.broker_transport = None
    log_to_stderr(process_name("flower"))
    notify(f"Flower: http://{address}:{port}")
    _beat_in_its_loop()
    _tell_the_truth()
    options = (f"--address={address}", f"--port={port}", "--read_only=True", "--inspect_timeout=2000")
    tasks.app.app.start(["--quiet", "flower", *options])


def _tell_the_truth() -> None:
    """Give Flower what Celery does not know of Waybill's groups and queues, and guard all of its pages."""
    import flower.events
    import flower.urls

    from workers.flower.handlers import replace_handlers
    from workers.flower.state import WaybillState

    flower.events.EventsState = WaybillState
    replace_handlers(flower.urls.handlers)


def _beat_in_its_loop() -> None:
    """Let Flower's loop beat, where a supervisor looks at the alive file."""
    from tornado.ioloop import PeriodicCallback

    if alive := alive_file():
        PeriodicCallback(alive.beat, EVERY_S * 1000).start()


def basic_auth(settings: Settings, notify: Callable[[str], None]) -> str:
    """Return `user:password` from the environment, or with a generated password whose file `notify` names."""
    given = os.environ.get(settings.flower.auth_env)
    if given:
        return given
    file = password_file(settings.home)
    password = load_or_create_password(file)
    notify(f"Flower: user {USER}, password in {file}")
    return f"{USER}:{password}"


def password_file(home: Path) -> Path:
    """Return the file that keeps the generated password."""
    return home / "run" / "flower.password"
