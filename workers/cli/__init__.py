"""The `waybill` command: it writes data to stdout and everything else to stderr.

Exit status: 0 done, 1 error, 2 usage, 3 some requests failed, 4 budget stop.
"""

import gc

#: New objects between two garbage collections: imports create hundreds of thousands, which all stay.
_GC_THRESHOLD = 50_000


def main() -> None:
    """Run the command and exit."""
    gc.set_threshold(_GC_THRESHOLD)
    from workers.cli.entry_point import run

    raise SystemExit(run())
