"""`python -m workers.api.intake`, which the server starts."""

from workers.api.intake.process import main

if __name__ == "__main__":
    main()
