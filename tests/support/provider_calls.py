"""Calls by a provider, one after the other, and what came of each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tasks.providers import Deployment, Provider, ProviderError, Reply
from tasks.providers.composite_provider import CompositeProvider

Outcome = Reply | ProviderError


@dataclass(frozen=True)
class Called:
    """What came of a call: a reply or an error."""

    outcome: Outcome

    @property
    def reply(self) -> Reply:
        """The reply; an error is raised."""
        if isinstance(self.outcome, ProviderError):
            raise self.outcome
        return self.outcome

    @property
    def error(self) -> ProviderError:
        """The error; a reply fails the test."""
        assert isinstance(self.outcome, ProviderError), self.outcome
        return self.outcome

    @property
    def choice(self) -> dict[str, Any]:
        """The reply's first choice."""
        choice: dict[str, Any] = self.reply.body["choices"][0]
        return choice

    @property
    def message(self) -> dict[str, Any]:
        """The message of the reply's first choice."""
        message: dict[str, Any] = self.choice["message"]
        return message


def call(
    deployment: Deployment,
    request: Mapping[str, Any],
    *,
    provider: type[Provider] = CompositeProvider,
    **options: Any,
) -> Called:
    """Make one call with a provider of its own."""

    async def scenario() -> Called:
        async with opened(provider) as client:
            return Called(await outcome_of(client, deployment, request, **options))

    return asyncio.run(scenario())


@asynccontextmanager
async def opened(provider: type[Provider] = CompositeProvider) -> AsyncIterator[Provider]:
    """Yield a provider, and close its connections."""
    client = provider()
    try:
        yield client
    finally:
        await client.aclose()


async def outcome_of(
    provider: Provider, deployment: Deployment, request: Mapping[str, Any], **options: Any
) -> Outcome:
    """Make one call; an error of the provider is returned."""
    try:
        return await provider.complete(deployment, request, **options)
    except ProviderError as error:
        return error
