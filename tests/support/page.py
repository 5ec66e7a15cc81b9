"""A browser without a screen or scripts: it follows links, keeps cookies and fills in forms of the page."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
from starlette.types import ASGIApp

from tasks.api_keys import keys
from tests.support.tenants import Tenant
from workers.api.context import Context

with warnings.catch_warnings():  # it would like another client than the one that is installed
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')


@dataclass
class Browser:
    """A browser, and the tenant whose key it is logged in with."""

    client: TestClient
    context: Context
    key_text: str = ""
    tenants: list[Tenant] = field(default_factory=list)

    @classmethod
    def of(cls, app: ASGIApp, context: Context) -> Self:
        client = TestClient(app, base_url="http://testserver", follow_redirects=False)
        return cls(client, context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    @property
    def tenant(self) -> Tenant:
        return self.tenants[-1]

    def log_in_as_new(self, name: str, **limits: Any) -> None:
        key, self.key_text = keys.create(self.context.store, name, **limits)
        self.tenants.append(Tenant(self.context.store, self.context.settings, key))
        assert self.log_in(self.key_text).status_code == 303

    def log_in(self, text: str, **more: str) -> httpx.Response:
        return self.client.post("/login", data={"key": text, **more})

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(path, **options)

    def shown(self, path: str) -> str:
        """Return the text of a page that is there."""
        response = self.get(path)
        assert response.status_code == 200, (response.status_code, response.text)
        return response.text

    @property
    def form_token(self) -> str:
        """What the forms of this session's pages hold."""
        match = _TOKEN.search(self.shown("/"))
        assert match is not None
        return match[1]

    def send(self, path: str, **fields: str) -> httpx.Response:
        """Send a form of this session."""
        return self.client.post(path, data={"form_token": self.form_token, **fields})
