"""The calls that a request has behind it: what a retry and a fail-over depend on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tasks.providers.errors import ErrorKind, ProviderError
from tasks.store.values import Call, HeldRequest

_OPERATOR_ERRORS = frozenset(kind.value for kind in ErrorKind if kind.needs_operator)


class CallHistory(NamedTuple):
    """The calls of a request in order, the present one included, and the router's ranking of all models."""

    calls: Sequence[Call]
    ranking: Sequence[str]

    @property
    def models(self) -> list[str]:
        """The models that were called, in order; one that was called twice stands here twice."""
        return [call.model for call in self.calls]

    def attempts(self, request: HeldRequest, error: ProviderError) -> int:
        """Return the number of calls to the present model that count towards its limit of attempts.

        Errors that only an operator can mend are counted apart from all others: waiting for a new key takes
        away none of the attempts that a timeout has.
        """
        earlier = self.calls[len(self.calls) - request.model_attempts - 1 : -1]
        for_operator = sum(call.error_code in _OPERATOR_ERRORS for call in earlier)
        return 1 + (for_operator if error.kind.needs_operator else len(earlier) - for_operator)
