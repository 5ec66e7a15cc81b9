"""The entry point of the command: an expected error becomes one line on stderr and an exit status."""

from __future__ import annotations

import os
import sys

from workers.cli.exit_codes import ExitCode


def run() -> int:
    """Run the command line in `sys.argv` and return the exit status."""
    from workers.cli.application import app

    try:
        app(prog_name="waybill")
    except SystemExit as end:
        return _flush_stdout(_status(end.code))
    except Exception as error:
        message = error_message(error)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        return ExitCode.ERROR
    return _flush_stdout(ExitCode.DONE)


def error_message(error: Exception) -> str | None:
    """Return the message for an expected error; None for a bug, which keeps its traceback."""
    from router_core.errors import RouterCoreError
    from tasks.errors import WaybillError
    from tasks.formats.errors import FormatsError
    from workers.errors import WorkersError
    from workers.simulator.errors import SimulatorError

    if isinstance(error, WaybillError | RouterCoreError | FormatsError | WorkersError | SimulatorError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed: pip install '{_package_with(error.name or '')}'"
    return _service_down(error)


#: the packages whose names are not their modules'
_PACKAGES = {"faiss": "faiss-cpu", "opentelemetry": "opentelemetry-sdk", "ipython": "ipykernel"}


def _package_with(module: str) -> str:
    """Return `waybill[extra]` with the first extra that has the module's package, such as api for uvicorn."""
    import re
    from importlib.metadata import PackageNotFoundError, requires

    name = module.partition(".")[0].replace("_", "-").lower()
    try:
        optional = [one for one in requires("waybill") or () if "extra ==" in one]
    except PackageNotFoundError:
        optional = []
    extra_of = {
        re.split(r"[\[<>=!~; ]", one, maxsplit=1)[0].lower(): one.rpartition("==")[2].strip(" \"'")
        for one in reversed(optional)
    }
    return f"waybill[{extra_of.get(_PACKAGES.get(name, name), 'all')}]"


def _service_down(error: Exception) -> str | None:
    """Return the message for an error of the database or Redis; None for any other error.

    It names the error's class only, because its text may contain prompts.
    """
    # By name: to import redis or SQLAlchemy here would slow down the report of any other error.
    names = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}
    if "sqlalchemy.DBAPIError" in names:
        return f"the store failed: {type(getattr(error, 'orig', error)).__name__}; see `waybill doctor`"
    if names & {"redis.RedisError", "kombu.OperationalError"}:
        return f"Redis failed: {type(error).__name__}; see `waybill doctor`"
    return None


def _status(code: object) -> int:
    if code is None:
        return ExitCode.DONE
    return code if isinstance(code, int) else ExitCode.ERROR


def _flush_stdout(status: int) -> int:
    """Write out what stdout buffers, and return the status; ERROR if the reader has closed it."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of stdout has closed it. Without this Python would report the error again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.ERROR
    return status
