"""`python -m workers.simulator`: the simulator as a process, until SIGTERM."""

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from workers.simulator.config import SimulatorConfig, with_transient_failures
from workers.simulator.errors import SimulatorConfigError
from workers.simulator.loading import default_config, load_config
from workers.simulator.serving import serve


def main() -> int:
    """Read the options, serve, and return the exit status.

    It is 2 for a wrong configuration, 1 where the address cannot be used.
    """
    options = _parser().parse_args()
    try:
        config = _config(options)
    except SimulatorConfigError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    try:
        asyncio.run(
            serve(
                config,
                host=options.host,
                port=options.port,
                port_file=options.port_file,
                with_parent=options.with_parent,
            )
        )
    except OSError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workers.simulator", description="An OpenAI-compatible provider."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--port-file", type=Path, help="the port is written here once the server listens")
    parser.add_argument("--config", type=Path, help="TOML or JSON; four documented models without it")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--latency-scale", type=float, help="multiplies every latency; 0 answers at once")
    parser.add_argument(
        "--flaky", type=float, metavar="SHARE", help="share of calls that fail in passing (429, 5xx)"
    )
    parser.add_argument(
        "--echo-errors", action="store_true", default=None, help="errors repeat prompt and key"
    )
    parser.add_argument("--with-parent", action="store_true", help="stop when the parent process is gone")
    return parser


def _config(options: argparse.Namespace) -> SimulatorConfig:
    config = load_config(options.config) if options.config else default_config()
    if options.flaky is not None:
        config = with_transient_failures(config, options.flaky)
    given = {name: getattr(options, name) for name in ("seed", "latency_scale", "echo_errors")}
    return replace(config, **{name: value for name, value in given.items() if value is not None})


if __name__ == "__main__":
    sys.exit(main())
