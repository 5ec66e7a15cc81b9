"""Parameters beyond OpenAI's API, which a model takes if its `extra_params` name them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from tasks.parameters.operators import is_operators
from tasks.parameters.table import CHAT_PARAMETERS

_SAMPLING = frozenset({"min_p", "min_tokens", "repetition_penalty", "top_k"})
_VLLM = _SAMPLING | {
    "add_generation_prompt", "allowed_token_ids", "bad_words", "cache_salt", "chat_template",
    "chat_template_kwargs", "continue_final_message", "documents", "enable_thinking", "guided_choice",
    "guided_decoding_backend", "guided_grammar", "guided_json", "guided_regex", "guided_whitespace_pattern",
    "ignore_eos", "include_reasoning", "include_stop_str_in_output", "length_penalty",
    "mm_processor_kwargs", "priority", "prompt_logprobs", "return_tokens_as_token_ids",
    "skip_special_tokens", "spaces_between_special_tokens", "stop_token_ids", "structural_tag",
    "structured_outputs", "thinking", "thinking_token_budget", "truncate_prompt_tokens",
}  # fmt: skip
_SGLANG = _SAMPLING | {
    "chat_template_kwargs", "continue_final_message", "ebnf", "enable_thinking", "ignore_eos", "json_schema",
    "no_stop_trim", "priority", "regex", "separate_reasoning", "skip_special_tokens", "stop_regex",
    "stop_token_ids", "structural_tag",
}  # fmt: skip
_LLAMA_CPP = _SAMPLING | {
    "cache_prompt", "chat_template_kwargs", "dry_allowed_length", "dry_base", "dry_multiplier",
    "dry_penalty_last_n", "dry_sequence_breakers", "dynatemp_exponent", "dynatemp_range", "grammar",
    "grammar_lazy", "id_slot", "ignore_eos", "json_schema", "min_keep", "mirostat", "mirostat_eta",
    "mirostat_tau", "n_keep", "n_probs", "post_sampling_probs", "reasoning_format", "repeat_last_n",
    "repeat_penalty", "samplers", "timings_per_token", "top_n_sigma", "typical_p", "xtc_probability",
    "xtc_threshold",
}  # fmt: skip
_OPENROUTER = frozenset({
    "include_reasoning", "min_p", "plugins", "provider", "reasoning", "repetition_penalty", "top_a", "top_k",
    "transforms", "usage",
})  # fmt: skip
_ANTHROPIC = frozenset({"cache_control", "context_management", "output_config", "thinking", "top_k"})

#: the parameters of known servers, by the name that `extra_params` may give for all of them
PRESETS: Mapping[str, frozenset[str]] = MappingProxyType({
    "anthropic": _ANTHROPIC,
    "llama.cpp": _LLAMA_CPP,
    "openrouter": _OPENROUTER,
    "sglang": _SGLANG,
    "vllm": _VLLM,
})  # fmt: skip

#: A plain line may hold columns of a data set, which are ignored. These names are never a data set's: where
#: no model takes them, the line is refused, so that nobody believes they were sent.
UNMISTAKABLE = frozenset({
    "chat_template_kwargs", "enable_thinking", "extra_body", "guided_choice", "guided_grammar", "guided_json",
    "guided_regex", "min_p", "repetition_penalty", "structured_outputs", "top_k",
})  # fmt: skip


@lru_cache(maxsize=256)
def expanded(names: tuple[str, ...]) -> frozenset[str]:
    """Return the parameters that a list of names and presets allows; raises ValueError for an operator's."""
    found: set[str] = set()
    for name in names:
        if name not in PRESETS and name not in CHAT_PARAMETERS and is_operators(name):
            raise ValueError(f"{name!r} is no parameter of a request: only the settings of a model decide it")
        found |= PRESETS.get(name, {name})
    return frozenset(found - CHAT_PARAMETERS.keys())
