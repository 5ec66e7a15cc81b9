"""`python -m workers.api.intake PID`, which the server with this process id starts."""

from workers.api.intake.process import main

if __name__ == "__main__":
    main()
