"""The models that `transport = "auto"` calls directly, as far as LiteLLM would send a request as it is.

`direct_models.json` says for each provider with OpenAI's protocol what LiteLLM sends unchanged, or under
another name. `deploy/direct_models.py` writes it by asking LiteLLM. Here LiteLLM is not imported.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tasks.providers.interface import OPENAI_PREFIX, Deployment
from tasks.settings.price_list import is_openais

_FILE = Path(__file__).with_name("direct_models.json")
#: the entry for servers of one's own, `openai/NAME` with an `api_base`
_OWN = "own"
#: names by which LiteLLM recognises OpenAI's models, whoever serves them
_LIKE_OPENAIS = re.compile(r"gpt-(?!oss)|(^|/)(o\d|chatgpt|codex)", re.IGNORECASE)
_END = "/chat/completions"
#: LiteLLM's prefix of a name for OpenAI's other endpoint of answers
_OTHER_ENDPOINT = "responses/"
#: parameters with which LiteLLM would do more than to send them
_SPECIAL = frozenset(
    ("cache_control", "context_management", "models", "route", "thinking", "transforms", "usage")
)


@dataclass(frozen=True, slots=True)
class DirectModel:
    """A model that plain requests reach directly.

    Attributes:
        deployment: The model as the direct transport calls it.
        takes: The parameters that are sent as they are, the roles of messages beside the user's, and the
            words `parts`, `images`, `name` and `extra`.
        renames: The parameters that are sent under another name.
        added: What is sent with every request.
        extra: The parameters beyond OpenAI's that are sent as they are.
    """

    deployment: Deployment
    takes: frozenset[str]
    renames: Mapping[str, str] = field(hash=False)
    added: Mapping[str, Any] = field(hash=False)
    extra: frozenset[str]


@lru_cache(maxsize=1024)
def direct_model(deployment: Deployment) -> DirectModel | None:
    """Return how plain requests reach a deployment directly; None if all of them need LiteLLM."""
    found = _entry_of(deployment)
    if found is None or variable_in_the_way(deployment) is not None:
        return None
    entry, model = found
    base = deployment.api_base or entry["base"]
    if base is None or not _is_plain_base(base):
        return None
    renames, added = model["renames"], entry["added"]
    called = replace(
        deployment,
        litellm_model=OPENAI_PREFIX + _name_of(deployment),
        api_base=base,
        transport="direct",
        extra_params=frozenset((*deployment.extra_params, *added, *renames.values())),
    )
    takes = frozenset(model["takes"])
    extra = deployment.extra_params - _SPECIAL - added.keys() - set(renames.values())
    return DirectModel(called, takes, renames, added, extra if "extra" in takes else frozenset())


def always_needs_litellm(deployment: Deployment) -> bool:
    """Return whether no request to a deployment goes directly."""
    is_auto = deployment.transport == "auto"
    return deployment.transport == "litellm" or (is_auto and direct_model(deployment) is None)


def usual_key_variable(litellm_model: str) -> str | None:
    """Return the environment variable that holds a provider's key by LiteLLM's convention, if it is known."""
    entry = _table().get(litellm_model.partition("/")[0], {})
    return next(iter(entry.get("keys", ())), None)


def variable_in_the_way(deployment: Deployment) -> str | None:
    """Return an environment variable that is set and with which LiteLLM would call elsewhere or otherwise."""
    found = _entry_of(deployment)
    names: Iterable[str] = found[0]["variables"] if found else ()
    return next((name for name in names if os.environ.get(name)), None)


def _entry_of(deployment: Deployment) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """Return the entry of a deployment's provider and of its model; None if there are none."""
    provider = deployment.litellm_model.partition("/")[0]
    name = _name_of(deployment)
    is_openais_own = is_openais(name) or _LIKE_OPENAIS.search(name)
    if provider == "openai" and deployment.api_base is not None and not is_openais_own:
        provider = _OWN
    entry = _table().get(provider)
    if entry is None or not name or name.startswith(_OTHER_ENDPOINT) or name in entry["otherwise"]:
        return None
    model = _listed(provider).get(name) or entry["others"]
    return (entry, model) if model is not None else None


def _name_of(deployment: Deployment) -> str:
    return deployment.litellm_model.partition("/")[2]


def _is_plain_base(base: str) -> bool:
    """Return whether the path of an endpoint can be appended to a base URL, and LiteLLM does the same."""
    # urllib's, because `doctor` runs where nobody calls a provider and aiohttp's yarl is not installed
    try:
        url = urlsplit(base)
        has_host = url.hostname is not None and url.port != 0 and not re.search(r"\s", base)
    except ValueError:
        return False
    is_azures = (url.hostname or "").endswith(".azure.com")
    has_end = unquote(url.path).rstrip("/").endswith(_END)
    is_http = url.scheme in ("http", "https") and has_host
    return is_http and not (url.query or url.fragment or is_azures or has_end)


@cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    table: dict[str, dict[str, Any]] = json.loads(_FILE.read_text())["providers"]
    return table


@cache
def _listed(provider: str) -> Mapping[str, Mapping[str, Any]]:
    return {name: model for model in _table()[provider]["models"] for name in model["names"]}
