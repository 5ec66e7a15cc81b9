"""`python -m workers.cli`: the same command, for the processes that the local stack starts."""

from workers.cli import main

if __name__ == "__main__":
    main()
