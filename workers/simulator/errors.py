"""The errors of the simulator, split by what the caller does about them.

SimulatorError
├── SimulatorConfigError    fix the configuration, or the behaviour that was asked for
├── SimulatorStartError     the process did not come up: its own words are in the message
└── RefusedError            the server answers with the HTTP error that this carries
"""

from workers.simulator.http_errors import HttpError, invalid_request


class SimulatorError(Exception):
    """Root of everything that the simulator raises on purpose."""


class SimulatorConfigError(SimulatorError):
    """A model, failure or option of the configuration is wrong."""


class SimulatorStartError(SimulatorError):
    """The simulator process ended, or said nothing, before it was ready."""


class RefusedError(SimulatorError):
    """A call that ends in an HTTP error."""

    def __init__(self, error: HttpError) -> None:
        super().__init__(error.message)
        self.error = error


def bad_request(message: str) -> RefusedError:
    """Return the refusal of a request that no model could be asked to answer."""
    return RefusedError(invalid_request(message))
