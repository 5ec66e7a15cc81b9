"""The packages that some of LiteLLM's providers need beyond the `dispatch` extra.

`tests/integration/providers/test_litellm_imports.py` walks LiteLLM's providers: a newer LiteLLM that needs
one more is noticed there.
"""

from __future__ import annotations

from importlib.util import find_spec

#: provider -> its module, and what installs that
_MODULES = {
    "gdc": ("google.auth", "google-auth"),
    "oci": ("cryptography", "cryptography"),
    "sap": ("cryptography", "cryptography"),
    "vertex_ai": ("google.auth", "google-auth"),
    "vertex_ai_beta": ("google.auth", "google-auth"),
}
#: provider -> what to use in its place: LiteLLM would load a model here, or call past Waybill's transport
_REPLACED = {
    "aiohttp_openai": "openai/",
    "chatgpt": "openai/",
    "petals": "openai/ with the api_base of a server",
    "vllm": "hosted_vllm/ with the api_base of the server",
}


def missing_for(litellm_model: str) -> str | None:
    """Return what keeps LiteLLM from calling a model here, as a sentence; None if nothing is known to.

    Nothing is known where LiteLLM is not installed: calls are made elsewhere.
    """
    provider, slash, _ = litellm_model.partition("/")
    if not slash or find_spec("litellm") is None:
        return None
    if provider in _REPLACED:
        return f"{provider}/ cannot be used here: use {_REPLACED[provider]}"
    module, package = _MODULES.get(provider, ("", ""))
    if not module or _is_installed(module):
        return None
    return f"{provider}/ needs a package that is not installed: pip install {package}"


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is missing
        return False
