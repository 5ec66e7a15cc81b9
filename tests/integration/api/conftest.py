"""Tenants of the API, on each database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.api_keys import keys
from tasks.store.engine import Store
from tests.support.tenants import Tenant, settings_of


@pytest.fixture
def new_tenant(store: Store, store_url: str, tmp_path: Path) -> Callable[..., Tenant]:
    """Makes tenants, each with a key of its own."""
    settings = settings_of(tmp_path, store_url)

    def make(name: str = "team", **limits: Any) -> Tenant:
        return Tenant(store, settings, keys.create(store, name, **limits)[0])

    return make


@pytest.fixture
def tenant(new_tenant: Callable[..., Tenant]) -> Tenant:
    """A tenant without limits."""
    return new_tenant()
