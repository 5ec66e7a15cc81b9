"""Names and values of OpenTelemetry's semantic conventions for generative AI, version 1.37.0.

Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/ at `v1.37.0`.
"""

from __future__ import annotations

from tasks.endpoints.endpoint import CHAT_PATH
from tasks.endpoints.registry import ENDPOINTS

SEMCONV_VERSION = "1.37.0"
SCHEMA_URL = f"https://opentelemetry.io/schemas/{SEMCONV_VERSION}"

#: the buckets that the conventions give for the duration in seconds and for the tokens of an operation
DURATION_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKEN_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)

#: gen_ai.provider.name of LiteLLM's prefixes; others are named as LiteLLM does
_PROVIDERS = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
#: gen_ai.operation.name of the endpoints that have a conventional one
_OPERATIONS = {
    CHAT_PATH: "chat",
    "/v1/responses": "chat",
    "/v1/completions": "text_completion",
    "/v1/embeddings": "embeddings",
}


def provider_name(litellm_model: str) -> str:
    """Return gen_ai.provider.name of a model string; without a prefix LiteLLM calls OpenAI."""
    prefix, slash, _ = litellm_model.partition("/")
    return _PROVIDERS.get(prefix, prefix) if slash else "openai"


def operation_name(endpoint: str) -> str:
    """Return gen_ai.operation.name of an endpoint's path."""
    if endpoint not in ENDPOINTS:
        return "other"
    return _OPERATIONS.get(endpoint, endpoint.rsplit("/", 1)[-1])
