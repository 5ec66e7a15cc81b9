"""The `waybill` command: data on stdout, everything else on stderr.

Exit status: 0 done, 1 error, 2 usage, 3 some requests failed, 4 budget stop.
"""

import gc

#: new objects after which the collector looks for cycles: imports make hundreds of thousands that all stay
_GC_THRESHOLD = 50_000


def main() -> None:
    """Run the command and exit."""
    gc.set_threshold(_GC_THRESHOLD)
    from workers.cli.entry_point import run

    raise SystemExit(run())
