"""`waybill up`, `worker`, `api`, `flower` and `metrics`: processes in the foreground."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.entry_point import error_message
from workers.cli.exit_codes import ExitCode
from workers.cli.output import info
from workers.logs.choice import LogFormat
from workers.worker.run import Role

if TYPE_CHECKING:
    from tasks.settings import Settings

#: read by this process and its children; see `workers.logs.choice`
LogFormatOption = Annotated[
    LogFormat,
    typer.Option(envvar="WAYBILL_LOG_FORMAT", help="The form of the log on stderr."),
]


def up(
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Add the provider simulator and use its models; no key needed.")
    ] = False,
    flaky: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, metavar="SHARE", help="Share of simulated calls that fail; default: 0.02."
        ),
    ] = None,
    workers: Annotated[
        str,
        typer.Option(
            metavar="ROLE=N,…",
            help="How many workers of a role to run; default: dispatch=2, of the others 1.",
            show_default=False,
        ),
    ] = "embed=1,route=1,judge=1,dispatch=2",
    flower: Annotated[bool, typer.Option(help="Do not run Flower.")] = True,
    api: Annotated[bool, typer.Option(help="Do not serve OpenAI's Batch API and the page.")] = True,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Run the whole local stack in the foreground; "ready" means that workers of each role take work."""
    from tasks.processes import set_at_signals
    from tasks.settings import load_settings
    from workers.stack.options import StackOptions
    from workers.stack.stack import Stack

    counts = _worker_counts(workers)
    stop = threading.Event()
    set_at_signals(stop)
    options = StackOptions(
        simulate=simulate, flaky=_flaky(flaky, simulate), flower=flower, api=api, workers=counts
    )
    with saying_as_chosen("up", log_format) as say:
        stack = Stack(load_settings(), options, notify=say)
        stack.start()
        try:
            for line in (*stack.summary_lines(), *problems_at_start(stack.settings)):
                say(line)
            if stack.await_ready(stop):
                say("ready: `waybill submit FILE --wait` (Ctrl-C stops the stack)")
            stack.run_until(stop)
        finally:
            say("stopping: calls in flight may end first")
            stack.stop()


def _flaky(share: float | None, simulate: bool) -> float:
    """Return the share of simulated calls that fail; by default some do, as at real providers."""
    from workers.stack.stack import FLAKY_SHARE

    if share is not None and not simulate:
        raise typer.BadParameter("only simulated models fail by choice", param_hint="--flaky")
    return FLAKY_SHARE if share is None else share


def problems_at_start(settings: Settings) -> list[str]:
    """Return what would fail at the first call of a model."""
    from workers.doctor import model_checks

    return [f"warning: {one.text}: {one.advice}" for one in model_checks.at_start(settings)]


def worker(
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="embed, route, judge, dispatch or upkeep.")],
    concurrency: Annotated[int, typer.Option(min=1, metavar="N", help="Pool processes.")] = 1,
    models: Annotated[
        str, typer.Option(metavar="A,B", help="Dispatch: serve only these models' queues.")
    ] = "",
    loglevel: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Run one worker; SIGTERM drains it, and SIGKILL loses nothing."""
    from workers.worker.run import WorkerOptions, run_worker

    if models and role is not Role.DISPATCH:
        raise typer.BadParameter("only dispatch workers serve models", param_hint="--models")
    options = WorkerOptions(
        role=role, concurrency=concurrency, models=split_names(models), loglevel=loglevel.lower()
    )
    with saying_as_chosen(role.value, log_format):
        status = run_worker(options)
    raise typer.Exit(status)


def flower(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="N", help="Default: [flower] port.")
    ] = None,
    address: Annotated[str | None, typer.Option(help="Default: [flower] address, loopback.")] = None,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Run Flower on this host's loopback, with a password, unable to change anything."""
    from tasks.settings import load_settings
    from workers.stack.flower import run_flower

    with saying_as_chosen("flower", log_format) as say:
        run_flower(load_settings(), address=address, port=port, notify=say)
    raise typer.Exit(ExitCode.DONE)


def metrics(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="N", help="Default: [metrics] port.")
    ] = None,
    address: Annotated[str | None, typer.Option(help="Default: [metrics] address, loopback.")] = None,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Serve `/metrics` to Prometheus, which sends the token in $WAYBILL_METRICS_TOKEN."""
    from tasks.settings import load_settings
    from workers.metrics.server import run_metrics

    with saying_as_chosen("metrics", log_format) as say:
        run_metrics(load_settings(), address=address, port=port, notify=say)
    raise typer.Exit(ExitCode.DONE)


def api(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="N", help="Default: [api] port.")
    ] = None,
    address: Annotated[str | None, typer.Option(help="Default: [api] address, loopback.")] = None,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Serve OpenAI's Batch API; `waybill keys create NAME` makes the keys that open it."""
    from tasks.settings import load_settings
    from workers.api.server import run_api

    with saying_as_chosen("api", log_format) as say:
        run_api(load_settings(), address=address, port=port, notify=say)
    raise typer.Exit(ExitCode.DONE)


@contextmanager
def saying_as_chosen(part: str, log_format: LogFormat) -> Iterator[Callable[[str], None]]:
    """Choose the form of the log for what the block says and runs, and for an expected error that ends it."""
    from workers.logs.process_log import is_json, notices, process_name, say_json

    log_format.choose()
    name = process_name(part)
    try:
        yield notices(name, info)
    except Exception as error:
        message = error_message(error)
        if message is None or not is_json():
            raise
        say_json(name, message, level=logging.ERROR)
        raise typer.Exit(ExitCode.ERROR) from None


def split_names(text: str) -> tuple[str, ...]:
    """Return the names in a comma-separated list."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _worker_counts(text: str) -> dict[Role, int]:
    """Return the number of workers by role, from `ROLE=N,…`; raises BadParameter for another form."""
    counts = {Role.EMBED: 1, Role.ROUTE: 1, Role.JUDGE: 1, Role.DISPATCH: 1}
    for entry in split_names(text):
        name, _, number = entry.partition("=")
        if name not in counts or not number.isdecimal():
            hint = "expected ROLE=N with embed, route, judge or dispatch"
            raise typer.BadParameter(f"{entry!r}: {hint}", param_hint="--workers")
        counts[Role(name)] = int(number)
    return counts
