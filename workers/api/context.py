"""What the handlers of requests share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import cast

from starlette.requests import Request

from tasks.files.storage import FileStorage
from tasks.settings import Settings
from tasks.store.api.keys import Key
from tasks.store.engine import Store
from tasks.store.health.waits import WaitRules
from workers.api.keys.concurrency import KeyRequests
from workers.api.loading import LoadingTurns


@dataclass(frozen=True, slots=True)
class Context:
    """The settings, the store, the file storage and the running requests of this process."""

    settings: Settings
    store: Store
    storage: FileStorage
    requests: KeyRequests
    #: entered by work that loads a router
    loading: LoadingTurns = field(default_factory=LoadingTurns)
    #: set when the process ends: streams without an end break off
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def wait_rules(self) -> WaitRules:
        """What the settings say about waiting."""
        return WaitRules.of(self.settings)


@dataclass(frozen=True, slots=True)
class Call:
    """A request and the key that sent it."""

    request: Request
    context: Context
    key: Key

    @property
    def store(self) -> Store:
        """The store."""
        return self.context.store

    def path(self, name: str) -> str:
        """Return a part of the path."""
        return cast(str, self.request.path_params[name])
