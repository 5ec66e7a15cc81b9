"""Extra parameters: presets, names, and what no list may allow."""

from inspect import signature

import pytest

from tasks.parameters import CHAT_PARAMETERS
from tasks.parameters.extra import PRESETS, UNMISTAKABLE, expanded
from tasks.parameters.operators import is_operators
from tasks.providers.litellm_setup import import_litellm


def test_a_preset_stands_for_its_parameters_and_a_name_for_itself() -> None:
    assert expanded(("anthropic", "my_param")) == PRESETS["anthropic"] | {"my_param"}


def test_a_parameter_of_openai_may_stand_in_the_list_and_changes_nothing() -> None:
    assert expanded(("temperature", "top_k")) == {"top_k"}


@pytest.mark.parametrize(
    "name", ["top_k", "min_p", "grammar", "provider", "thinking", "enable_search", "my_param"]
)
def test_a_servers_own_parameter_is_allowed(name: str) -> None:
    assert name in expanded((name,))


@pytest.mark.parametrize(
    "name",
    [
        *("api_base", "api_key", "base_url", "api_version", "mock_response", "fallbacks", "num_retries"),
        *("custom_llm_provider", "model_list", "headers", "extra_headers", "callbacks", "success_callback"),
        *(
            "drop_params",
            "aws_secret_access_key",
            "vertex_project",
            "azure_ad_token",
            "timeout",
            "extra_body",
        ),
        *("messages", "model", "stream_options", "prompt", "input"),
        *("best_of", "n_predict", "max_new_tokens", "models", "lora_path", "custom_logit_processor"),
        *("", "top k", "_litellm_control", "no-log", "top_k\n", "x" * 65),
    ],
)
def test_what_is_the_operators_or_the_requests_own_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no parameter of a request"):
        expanded(("vllm", name))


def test_every_argument_that_litellm_takes_for_itself_is_the_operators() -> None:
    litellm = import_litellm()
    from litellm.constants import DEFAULT_CHAT_COMPLETION_PARAM_VALUES, OPENAI_CHAT_COMPLETION_PARAMS
    from litellm.types.utils import all_litellm_params

    arguments = {*signature(litellm.acompletion).parameters, *signature(litellm.completion).parameters}
    arguments |= {*all_litellm_params, *OPENAI_CHAT_COMPLETION_PARAMS, *DEFAULT_CHAT_COMPLETION_PARAM_VALUES}
    passed_on = {"thinking", "context_management"}
    assert [
        name for name in sorted(arguments - CHAT_PARAMETERS.keys() - passed_on) if not is_operators(name)
    ] == []


def test_no_preset_names_what_is_the_operators() -> None:
    patterned = {"dry_base", "timings_per_token"}  # llama.cpp's own, in words that an operator's option has
    names = frozenset().union(*PRESETS.values(), UNMISTAKABLE) - patterned
    assert [name for name in sorted(names) if is_operators(name)] == ["extra_body"]
