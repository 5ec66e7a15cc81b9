"""The names that are never a request's to set: what the operator decides, and what the request itself is.

The body of a request becomes keyword arguments of LiteLLM, which takes its own options (`api_base`,
`mock_response`, `fallbacks` …) in the same way. A test holds this rule against the installed LiteLLM:
whatever its completion functions take for themselves is refused, whatever the lists of a model say.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")

#: what the request itself is: no `extra_body` may replace it
REQUEST = frozenset({"extra_body", "input", "messages", "model", "n", "prompt", "stream", "stream_options"})
#: other names for the limit on the answer or for their number: the worst case knows `max_tokens` only
_LIMITS = frozenset({
    "best_of", "candidate_count", "max_gen_toks", "max_length", "max_new_tokens", "max_output_tokens",
    "max_tokens_to_sample", "n_predict", "num_beams", "num_completions", "num_predict",
    "num_return_sequences",
})  # fmt: skip
#: other models than the one whose price is known, code to run, and places to reach
_OTHERS = frozenset({
    "custom_logit_processor", "custom_params", "kv_transfer_params", "logits_processors", "lora", "lora_path",
    "mcp_servers", "models", "route", "session_params", "speed", "vllm_xargs",
})  # fmt: skip
#: arguments of LiteLLM that no pattern below covers
_LITELLM = frozenset({
    "acompletion", "additional_drop_params", "aembedding", "aimg_generation",
    "allow_client_keepalive_override",
    "allow_dynamic_callback_disabling", "allowed_model_region", "allowed_openai_params", "async_call",
    "allm_passthrough_route", "assistant_continue_message", "atext_completion",
    "attempted_targets", "base_model", "bos_token", "cache", "cache_key", "caching", "caching_groups",
    "client", "client_id", "complete_response", "completion_call_id", "configurable_clientside_auth_params",
    "cooldown_time", "custom_llm_provider",
    "custom_prompt_dict", "data_residency", "deployment_id", "disable_add_transform_inline_image_block",
    "drop_params", "enable_json_schema_validation", "enable_prompt_caching", "enable_tag_filtering",
    "ensure_alternating_roles", "eos_token", "fastest_response", "final_prompt_value", "guardrails", "id",
    "include_server_side_tool_invocations", "initial_prompt_value", "kwargs", "log_client_error_tracebacks",
    "logger_fn", "max_agentic_loops", "max_file_size_mb", "max_parallel_requests",
    "merge_reasoning_content_in_choices", "organization", "order", "output_vector_size", "preset_cache_key",
    "prompt_environment", "prompt_id", "prompt_label", "prompt_variables", "prompt_version",
    "provider_affinity_header", "region_name", "request_body", "roles", "rust", "search_tool_name", "self",
    "service_account", "shared_session", "silent_model", "ssl_verify", "stream_chunk_size",
    "stream_response", "supports_system_message", "tag_regex", "tags", "tenant_id", "text_completion",
    "tiered_pricing", "ttl", "turn_off_message_logging", "use_chat_completions_api", "use_client",
    "use_in_pass_through", "use_litellm_proxy", "use_xai_oauth", "user_continue_message", "verbose", "weight",
})  # fmt: skip
#: where a call goes, who pays for it and how often it is made: whole families of names, for every provider
_OPERATORS = re.compile(
    r"""
    (adaptive_router|annotation|anthropic|api|arize|auto_router|aws|azure|base|bedrock|citation|complexity_router
      |dd|default|fireworks|gcp|gcs|google|hf|humanloop|keepalive|langfuse|langsmith|litellm|mock|model|newrelic
      |ocr|openai|posthog|proxy|quality_router|regional|s3|signoz|vertex|wandb|watsonx|weave)(_.*)?
    | .*(budget_duration|callback|cost|credential|fallback|header|max_budget|password|retries|retry|routing
      |secret|timeout).*
    | (.*_)?(base|endpoint|host|key|keys|rpm|token|tpm|itpm|otpm|uri|url)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def is_operators(name: str) -> bool:
    """Return whether a name may not be a parameter: it is the operator's, the request's own, or no name."""
    if name in REQUEST | _LIMITS | _OTHERS | _LITELLM or _NAME.fullmatch(name) is None:
        return True
    return _OPERATORS.fullmatch(name) is not None
