"""The `waybill` command: data on stdout, everything else on stderr.

Exit status: 0 done, 1 error, 2 usage, 3 some requests failed, 4 budget stop.
"""


def main() -> None:
    """Run the command and exit."""
    from workers.cli.running import run

    raise SystemExit(run())
