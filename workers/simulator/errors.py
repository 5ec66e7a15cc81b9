"""The errors of the simulator, by what the caller can do about them.

SimulatorError
├── SimulatorConfigError    correct the configuration, or the requested change of behaviour
├── SimulatorStartError     read the message: it quotes the process, which did not start
└── RefusedError            the server answers with the HTTP error that this one carries
"""

from workers.simulator.http_errors import HttpError, invalid_request


class SimulatorError(Exception):
    """The base class of the errors that the simulator raises."""


class SimulatorConfigError(SimulatorError):
    """A model, failure or option of the configuration is wrong."""


class SimulatorStartError(SimulatorError):
    """The simulator process ended, or was not ready in time."""


class RefusedError(SimulatorError):
    """A call that ends in an HTTP error."""

    def __init__(self, error: HttpError) -> None:
        super().__init__(error.message)
        self.error = error


def bad_request(message: str) -> RefusedError:
    """Return the refusal of a request that is wrong for every model."""
    return RefusedError(invalid_request(message))
