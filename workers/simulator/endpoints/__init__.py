"""The endpoints beside chat completions that the simulator serves, one module per endpoint."""

from workers.simulator.endpoints.completions import COMPLETIONS
from workers.simulator.endpoints.embeddings import EMBEDDINGS
from workers.simulator.endpoints.endpoint import SimulatedEndpoint
from workers.simulator.endpoints.moderations import MODERATIONS
from workers.simulator.endpoints.responses import RESPONSES

#: the endpoints, beside chat completions, that the server has routes for
ENDPOINTS = (RESPONSES, COMPLETIONS, EMBEDDINGS, MODERATIONS)

__all__ = ["ENDPOINTS", "SimulatedEndpoint"]
