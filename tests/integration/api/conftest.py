"""Tenants of the API, on each database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.api_keys import keys
from tasks.settings import load_settings
from tasks.store.engine import Store
from tests.support.tenants import Tenant

_CONFIG = """
home = "{home}"
[store]
url = "{url}"
[[models]]
name = "small"
litellm = "openai/small"
input_price = 1
output_price = 2
"""


@pytest.fixture
def new_tenant(store: Store, store_url: str, tmp_path: Path) -> Callable[..., Tenant]:
    """Makes tenants, each with a key of its own."""
    config = tmp_path / "waybill.toml"
    config.write_text(_CONFIG.format(home=tmp_path, url=store_url))
    settings = load_settings(config)

    def make(name: str = "team", **limits: Any) -> Tenant:
        return Tenant(store, settings, keys.create(store, name, **limits)[0])

    return make


@pytest.fixture
def tenant(new_tenant: Callable[..., Tenant]) -> Tenant:
    """A tenant without limits."""
    return new_tenant()
