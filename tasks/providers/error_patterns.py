"""The messages of errors that known servers send without a code of their own.

A message is matched from its start, by the shape that the server's source or documentation gives it: it may
quote a prompt, which may hold the words "rate limit" or "maximum context length".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from tasks.providers.errors import ErrorKind

#: Longer messages are cut: a shape ends long before.
_MAX_CHARS = 1000
#: what LiteLLM's proxy, boto3 and others put before the message of the server behind them
_PREFIX = re.compile(
    r"(?:(?:litellm\.)?\w{1,60}(?:Error|Exception)(?::| -) |Error code: \d{3} - |Error: "
    r"|An error occurred \(\w{1,60}\) when calling the \w{1,60} operation(?: \([^)]{1,60}\))?: "
    r"|The model returned the following errors: |Invalid request: |Bad request: |Inference error: )*"
)

_SHAPES: Mapping[ErrorKind, Collection[str]] = {
    ErrorKind.CONTEXT_WINDOW: (
        # OpenAI, Azure, vLLM, DeepSeek, SGLang, OpenRouter, xAI
        r"This (?:model|endpoint)'s maximum (?:context|prompt) length is \d+",
        r"'?max_(?:completion_)?tokens'?(?: or 'max_completion_tokens')? is too large: \d+",
        r"Your input exceeds the context window of this model",
        r"Input tokens exceed the configured limit of \d+ tokens",
        r"You passed \d+ input (?:tokens|characters)",
        r"The (?:decoder |encoder )?prompt \((?:total )?length \d+\) is longer than the maximum model length",
        r"Input length \(\d+\) exceeds (?:the )?model's maximum context length",
        r"The engine prompt length \d+ exceeds the max_model_len",
        r"max_(?:completion_)?tokens=\d+ cannot be greater than max_model_len",
        r"(?:The input|Input length) \(\d+ tokens\) (?:is longer than|exceeds) the (?:model's|maximum)",
        r"Requested token count exceeds the model's maximum context length",
        # Anthropic, Bedrock
        r"[Pp]rompt is too long(?:: \d+ tokens > \d+|$)",
        r"input length and `max_tokens` exceed context limit: \d+",
        r"max_tokens: \d+ > \d+, which is the maximum allowed number of output tokens",
        r"Input is too long for requested model",
        r"Too many input tokens",
        # Gemini
        r"The input token count \(?\d+\)? exceeds the maximum number of tokens allowed",
        r"Unable to submit request because the input token count is \d+ but",
        # Mistral, Cohere, Fireworks, Cerebras, Groq, Moonshot, DashScope, GitHub, watsonx
        r"Prompt contains \d+ tokens.{0,60}, too large for model with \d+ maximum context length",
        r"too many tokens: ",
        r"The prompt is too long: \d+, model maximum context length: \d+",
        r"Please reduce the length of the messages or completion",
        r"Request too large for ",
        r"Your request exceeded model token limit: \d+",
        r"Range of input length should be \[\d+, \d+\]",
        r"Request body too large for \S{1,100} model\. Max size: \d+ tokens",
        r"the number of input tokens \d+ cannot exceed the total tokens limit \d+",
        # llama.cpp, Ollama, LM Studio, Hugging Face's TGI, Together
        r"(?:the )?request (?:\(\d+ tokens\) )?exceeds the available context size",
        r"context shift is disabled",
        r"the input length exceeds (?:the|maximum) context length",
        r"input length exceeds (?:the|maximum) context length",
        r"prompt too long; exceeded max context length",
        r"The number of tokens to keep from the initial prompt is greater than the context length",
        r"Trying to keep the first \d+ tokens when context the overflows",
        r"Input validation error: `inputs` (?:tokens \+ `max_new_tokens` must be <=|must have less than) \d+",
    ),
    ErrorKind.CONTENT_POLICY: (
        # Azure, OpenAI, Anthropic, DeepSeek, DashScope, OpenRouter, xAI, Gemini
        r"The response was filtered due to the prompt triggering",
        r"Your request was rejected as a result of our safety system",
        r"Invalid prompt: your prompt was flagged",
        r"Output blocked by content filtering policy",
        r"Content Exists Risk",
        r"(?:Input|Output)(?: text| image)? data may contain inappropriate content",
        r"(?:\S{1,100} requires moderation on .{1,80}\. )?Your input was flagged",
        r"(?:Content|Your request) violates usage guidelines",
        r"The prompt could not be submitted\. .{0,80}violate",
    ),
    ErrorKind.PAYMENT: (
        # OpenAI, Anthropic, OpenRouter, DeepSeek, Together, Moonshot, xAI, LiteLLM's proxy, HF, Gemini
        r"You exceeded your current quota, please check your plan and billing details",
        r"Your credit balance is too low",
        r"Insufficient (?:credits|[Bb]alance)",
        r"Key limit exceeded",
        r"Credit limit exceeded",
        r"This request requires more credits",
        r"Your account .{1,100} (?:is suspended|has been suspended), please check your plan and billing",
        r"Your team .{1,100} has either used all available credits or reached its monthly spending limit",
        r"Your newly created team doesn't have any credits",
        r"(?:ExceededBudget: |Budget has been exceeded!)",
        r"You have exceeded your monthly included credits",
        r"Your prepayment credits are depleted",
    ),
    ErrorKind.NOT_FOUND: (
        # OpenAI, vLLM, Groq, Ollama, Mistral, Perplexity, OpenRouter, DeepSeek, Together, Bedrock, LiteLLM
        r"The model `[^`]{1,200}` (?:does not exist|has been decommissioned|has been deprecated)",
        r"model ['\"][^'\"]{1,200}['\"] not found",
        r"Invalid model(?:: | ['\"])",
        r"\S{1,200} is not a valid model ID",
        r"No endpoints found ",
        r"Model Not Exist",
        r"Unable to access (?:non-serverless )?model ",
        r"The provided model identifier is invalid",
        r"Invocation of model ID \S{1,200} with on-demand throughput isn.t supported",
        r"This model version has reached the end of its life",
        r"/\S{1,60}: Invalid model name passed in model=",
        r"models/\S{1,200} is not found for API version",
    ),
    ErrorKind.AUTHENTICATION: (
        # Gemini, xAI, Bedrock
        r"API key (?:not valid|expired|not found)",
        r"Incorrect API key provided",
        r"The security token included in the request is (?:invalid|expired)",
        r"The request signature we calculated does not match",
    ),
    ErrorKind.RATE_LIMIT: (r"Rate limit (?:exceeded|reached)", r"Too many requests(?:$|[.,:!])"),
    ErrorKind.SERVER: (
        r"(?:The )?(?:server|model|engine|service) is (?:currently |temporarily )?(?:overloaded|unavailable)",
        r"Overloaded\.?$",
        r"(?:Internal server error|Service unavailable|Bad gateway|Provider returned error)\.?$",
    ),
}
#: in these, case tells nothing
_PATTERNS = {
    kind: re.compile("|".join(f"(?:{shape})" for shape in shapes), re.IGNORECASE)
    for kind, shapes in _SHAPES.items()
}


def kind_of_messages(messages: Iterable[str], among: Collection[ErrorKind]) -> ErrorKind | None:
    """Return the kind whose shape one of the messages has; only these kinds are tried."""
    for message in messages:
        text = message[:_MAX_CHARS].strip()
        start = prefix.end() if (prefix := _PREFIX.match(text)) else 0
        for kind, pattern in _PATTERNS.items():
            if kind in among and (pattern.match(text) or pattern.match(text, start)):
                return kind
    return None
