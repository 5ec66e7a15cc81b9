"""`python -m workers.cli`: the `waybill` command, as the local stack starts its processes."""

from workers.cli import main

if __name__ == "__main__":
    main()
