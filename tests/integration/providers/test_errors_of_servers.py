"""Errors as the known servers send them, over both transports: by status, code, type or message."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.providers import ErrorKind
from tests.support.provider_server import Call, answering
from tests.support.server_errors import CLASSES, K, error

QUOTED = "This model's maximum context length is 100 tokens. Rate limit reached. insufficient_quota"


def azure_filter() -> dict[str, Any]:
    text = "The response was filtered due to the prompt triggering Azure OpenAI's content policy."
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}}
    return error(text, type=None, param="prompt", code="content_filter", status=400, innererror=inner)


def gemini(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


# name -> status, body, kind
CASES: dict[str, tuple[int, object, ErrorKind]] = {
    # context window
    "OpenAI: context": (
        400, error("This model's maximum context length is 8192 tokens. However, your messages",
                   type="invalid_request_error", code="context_length_exceeded"), K.CONTEXT_WINDOW,
    ),
    "vLLM: context": (
        400, {"object": "error", "type": "BadRequestError", "param": None, "code": 400,
              "message": "This model's maximum context length is 100 tokens. However, you requested 200"},
        K.CONTEXT_WINDOW,
    ),
    "vLLM: context, as an object": (
        400, error("This model's maximum context length is 100 tokens. However, you requested 200 tokens",
                   type="BadRequestError", param=None, code=400), K.CONTEXT_WINDOW,
    ),
    "vLLM: prompt": (
        400, error("The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
                   type="BadRequestError", code=400), K.CONTEXT_WINDOW,
    ),
    "SGLang: context": (
        400, {"object": "error", "type": "BadRequestError", "code": 400,
              "message": "The input (5000 tokens) is longer than the model's context length (4096 tokens)."},
        K.CONTEXT_WINDOW,
    ),
    "llama.cpp: context": (
        400, error("the request exceeds the available context size, try increasing it", code=400,
                   type="exceed_context_size_error", n_prompt_tokens=500, n_ctx=256), K.CONTEXT_WINDOW,
    ),
    "llama.cpp: context, as a server error": (
        500, error("the request exceeds the available context size", code=500, type="server_error"),
        K.CONTEXT_WINDOW,
    ),
    "TGI: context": (
        422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given",
              "error_type": "validation"}, K.CONTEXT_WINDOW,
    ),
    "Ollama: context": (400, {"error": "the input length exceeds the context length"}, K.CONTEXT_WINDOW),
    "Anthropic: context": (
        400, {"type": "error", "error": {"type": "invalid_request_error",
              "message": "prompt is too long: 210000 tokens > 200000 maximum"}}, K.CONTEXT_WINDOW,
    ),
    "Gemini: context": (
        400, gemini(400, "INVALID_ARGUMENT", "The input token count (2000000) exceeds the maximum number of "
                    "tokens allowed (1048576)."), K.CONTEXT_WINDOW,
    ),
    "Gemini: context, in a list": (
        400, [gemini(400, "INVALID_ARGUMENT", "The input token count 2000000 exceeds the maximum number of "
                     "tokens allowed 1048576.")], K.CONTEXT_WINDOW,
    ),
    "Mistral: context": (
        400, {"object": "error", "type": "invalid_request_error", "param": None, "code": "3051",
              "message": "Prompt contains 33000 tokens and 0 draft tokens, too large for model with 32768 "
              "maximum context length"}, K.CONTEXT_WINDOW,
    ),
    "Bedrock: context": (400, {"message": "Input is too long for requested model."}, K.CONTEXT_WINDOW),
    "xAI: context": (
        400, {"code": "Client specified an invalid argument",
              "error": "This model's maximum prompt length is 131072 but the request contains 200000"},
        K.CONTEXT_WINDOW,
    ),
    "Groq: too large for the rate": (
        413, error("Request too large for model `m` in organization `o` on tokens per minute: 6000",
                   type="tokens", code="rate_limit_exceeded"), K.CONTEXT_WINDOW,
    ),
    "OpenAI: too large for the rate": (
        429, error("Request too large for gpt-4o in organization o on tokens per min (TPM): Limit 30000, "
                   "Requested 50000.", type="tokens", code="rate_limit_exceeded"), K.CONTEXT_WINDOW,
    ),
    "OpenRouter: context": (
        400, error("This endpoint's maximum context length is 8192 tokens. However, you requested about 9000",
                   code=400, metadata={"provider_name": None}), K.CONTEXT_WINDOW,
    ),
    "OpenRouter: context, of the server behind it": (
        400, error("Provider returned error", code=400, metadata={
            "raw": json.dumps(error("This model's maximum context length is 9 tokens"))}),
        K.CONTEXT_WINDOW,
    ),
    "LiteLLM's proxy: context": (
        400, error("litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: "
                   "OpenAIException - This model's maximum context length is 8192 tokens.", code="400"),
        K.CONTEXT_WINDOW,
    ),
    "Together: context": (
        422, error("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000",
                   type="invalid_request_error", param="max_tokens", code=None), K.CONTEXT_WINDOW,
    ),
    # content policy
    "Azure: filter": (400, azure_filter(), K.CONTENT_POLICY),
    "OpenAI: policy": (
        400, error("Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
                   type="invalid_request_error", code="invalid_prompt"), K.CONTENT_POLICY,
    ),
    "DeepSeek: policy": (
        400, error("Content Exists Risk", type="invalid_request_error", code="invalid_request_error"),
        K.CONTENT_POLICY,
    ),
    "OpenRouter: moderation": (
        403, error("openai/gpt-4o requires moderation on OpenAI. Your input was flagged for \"violence\".",
                   code=403, metadata={"reasons": ["violence"], "flagged_input": "x"}), K.CONTENT_POLICY,
    ),
    "DashScope: policy": (
        400, error("Input data may contain inappropriate content.", type="data_inspection_failed",
                   code="data_inspection_failed"), K.CONTENT_POLICY,
    ),
    # credit
    "OpenAI: quota": (
        429, error("You exceeded your current quota, please check your plan and billing details.",
                   type="insufficient_quota", code="insufficient_quota"), K.PAYMENT,
    ),
    "Anthropic: credit": (
        400, {"type": "error", "error": {"type": "invalid_request_error",
              "message": "Your credit balance is too low to access the Anthropic API."}}, K.PAYMENT,
    ),
    "DeepSeek: balance": (402, error("Insufficient Balance", code="invalid_request_error"), K.PAYMENT),
    "OpenRouter: key limit": (403, error("Key limit exceeded (total limit).", code=403), K.PAYMENT),
    "LiteLLM's proxy: budget": (
        400, error("Budget has been exceeded! Current cost: 11, Max budget: 10", type="budget_exceeded",
                   code="400"), K.PAYMENT,
    ),
    "Perplexity: quota": (
        401, error("You exceeded your current quota, please check your plan and billing details.",
                   type="insufficient_quota", code=401), K.PAYMENT,
    ),
    "Gemini: a limit per minute": (
        429, gemini(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and "
                    "billing details.", {"@type": "RetryInfo", "retryDelay": "7s"}),
        K.RATE_LIMIT,
    ),
    # keys
    "Gemini: key": (
        400, gemini(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
                    {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}),
        K.AUTHENTICATION,
    ),
    "xAI: key": (400, {"code": "invalid", "error": "Incorrect API key provided: xa***."}, K.AUTHENTICATION),
    # models
    "OpenAI: model": (404, error("The model `m` does not exist", code="model_not_found"), K.NOT_FOUND),
    "Mistral: model": (
        400, {"object": "error", "message": "Invalid model: m", "type": "invalid_model", "code": "1500"},
        K.NOT_FOUND,
    ),
    "Groq: decommissioned": (
        400, error("The model `m` has been decommissioned", code="model_decommissioned"),
        K.NOT_FOUND,
    ),
    "OpenRouter: model": (400, error("m is not a valid model ID", code=400), K.NOT_FOUND),
    "Bedrock: model": (400, {"message": "The provided model identifier is invalid."}, K.NOT_FOUND),
    "Ollama: model": (404, error('model "m" not found, try pulling it first', type="api_error"), K.NOT_FOUND),
    "a gateway without a channel": (503, error("No available channel", code="model_not_found"), K.NOT_FOUND),
    # limits and load
    "OpenAI: rate": (429, error("Rate limit reached", code="rate_limit_exceeded"), K.RATE_LIMIT),
    "AWS: throttling in a 400": (
        400, {"__type": "a.b#ThrottlingException", "message": "Rate exceeded"}, K.RATE_LIMIT,
    ),
    "Anthropic: overloaded": (
        529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, K.SERVER,
    ),
    "TGI: overloaded": (429, {"error": "Model is overloaded", "error_type": "overloaded"}, K.RATE_LIMIT),
    "a page": (502, "<html>Bad gateway</html>", K.SERVER),
    # what says nothing
    "OpenAI: bad request": (
        400, error("Unsupported value", type="invalid_request_error", code="unsupported_value"),
        K.BAD_REQUEST,
    ),
    "FastAPI: bad request": (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, K.BAD_REQUEST),
    "a prompt that is quoted": (400, error(f"Invalid value: '{QUOTED}'"), K.BAD_REQUEST),
    "a prompt that is quoted by a 500": (500, error(f"cannot answer {QUOTED}"), K.SERVER),
    "a prompt that is quoted by a 403": (403, error(f"not allowed: {QUOTED}"), K.PERMISSION),
    "a prompt that is quoted by a 429": (429, error(f"slow down: {QUOTED}"), K.RATE_LIMIT),
    "a context named by a 503": (503, error("This model's maximum context length is 9 tokens"), K.SERVER),
    "a code in another place": (400, error("no", param="context_length_exceeded"), K.BAD_REQUEST),
    "no body": (400, "", K.BAD_REQUEST),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_status_code_type_and_message_tell_an_error(call: Call, name: str) -> None:
    status, body, kind = CASES[name]
    result = call(answering(body, status=status)).error
    assert (type(result), result.kind, result.status, result.maybe_billed) == (
        CLASSES[kind],
        kind,
        status,
        False,
    )
    assert QUOTED not in f"{result} {result!r} {vars(result)}"


@pytest.mark.parametrize(
    ("status", "headers", "body", "wait_s"),
    [
        (200, {"Retry-After": "7"}, error("slow", code=429), 7),
        (429, {"Retry-After": "7"}, error("slow"), 7),
        (429, {}, gemini(429, "RESOURCE_EXHAUSTED", "x", {"@type": "RetryInfo", "retryDelay": "3.5s"}), 3.5),
        (429, {}, error("slow"), None),
    ],
)
def test_a_rate_limit_says_how_long_to_wait(
    call: Call, status: int, headers: dict[str, str], body: dict[str, Any], wait_s: float | None
) -> None:
    result = call(answering(body, status=status, headers=headers)).error
    assert (result.kind, result.retry_after_s) == (K.RATE_LIMIT, wait_s)


def test_the_class_of_an_error_in_aws_header_counts(call: Call) -> None:
    headers = {"x-amzn-ErrorType": "ThrottlingException:http://internal.amazon.com/"}
    result = call(answering(b'{"message": "slow"}', status=400, headers=headers)).error
    assert result.kind is K.RATE_LIMIT
