"""The shapes of a paid answer besides plain text: what else it may hold, and what is odd about it.

The names are words of a `[[sim:…]]` directive, as failures are (faults.py). A protocol that has no such thing
sends its plain answer.
"""

from enum import StrEnum


class Shape(StrEnum):
    """What an answer holds instead of plain text, or what is odd about it."""

    # What it holds.
    REFUSAL = "refusal"
    TOOL_CALL = "tool_call"
    TOOL_CALL_WITH_EMPTY_TEXT = "tool_call_with_empty_text"
    FUNCTION_CALL = "function_call"
    REASONING_ONLY = "reasoning_only"
    FILTERED = "filtered"
    CITATIONS = "citations"
    IMAGE = "image"
    AUDIO = "audio"
    # JSON that is not what was asked for.
    FENCED_JSON = "fenced_json"
    JSON_AND_TEXT = "json_and_text"
    MISFIT_JSON = "misfit_json"
    # Oddities of OpenAI-compatible servers.
    CONTENT_LIST = "content_list"
    THINKING_LIST = "thinking_list"
    FLOAT_USAGE = "float_usage"
    TEXT_USAGE = "text_usage"
    REASONING_OUTSIDE = "reasoning_outside"
    INFINITE_LOGPROB = "infinite_logprob"
    NAN_LOGPROB = "nan_logprob"
    LONE_SURROGATE = "lone_surrogate"
    NUL = "nul"
    BYTE_ORDER_MARK = "byte_order_mark"
    LEADING_SPACE = "leading_space"
    EMPTY_SECOND_CHOICE = "empty_second_choice"
    NULL_CHOICES = "null_choices"
    # Failures in a response with status 200, which are not billed.
    RATE_LIMIT_IN_200 = "rate_limit_in_200"
    ERROR_IN_200 = "error_in_200"
    # Half a text, then a failure: billed.
    ERROR_FINISH = "error_finish"


#: shapes for which a provider does no work
UNBILLED_SHAPES = frozenset({Shape.RATE_LIMIT_IN_200, Shape.ERROR_IN_200})
