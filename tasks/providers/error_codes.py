"""The codes and types of errors that known servers send, and what they mean.

Keys are written as `error_details.plain` writes them.
"""

from __future__ import annotations

from collections.abc import Mapping

from tasks.providers.error_details import plain
from tasks.providers.errors import ErrorKind

_CODES: Mapping[ErrorKind, str] = {
    # OpenAI, llama.cpp, LiteLLM's proxy, Azure, Mistral, Groq, DashScope, Anthropic; numbers: Zhipu, MiniMax
    ErrorKind.CONTEXT_WINDOW: """
        context_length_exceeded exceed_context_size_error ContextWindowExceededError context_window_exceeded
        tokens_limit_reached string_above_max_length max_tokens_exceeded prompt_too_long input_too_long
        input_too_large request_too_large 3051 context_too_long 1261
    """,
    ErrorKind.CONTENT_POLICY: """
        content_filter content_policy_violation ContentPolicyViolationError ResponsibleAIPolicyViolation
        moderation_blocked content_blocked data_inspection_failed invalid_prompt sensitive_content
        content_policy content_filtered prompt_blocked safety_violation 1301 1026 1027
    """,
    ErrorKind.PAYMENT: """
        insufficient_quota billing_hard_limit_reached billing_not_active billing_error insufficient_balance
        insufficient_credits insufficient_user_quota insufficient_funds budget_exceeded credits_exhausted
        exceeded_current_quota_error Arrearage payment_required PaymentRequiredError credit_limit_exceeded
        1113 1008
    """,
    ErrorKind.NOT_FOUND: """
        model_not_found DeploymentNotFound invalid_model unknown_model ModelNotFound model_decommissioned
        model_not_available model_not_supported model_terms_required not_found_error NotFoundError NOT_FOUND
        ResourceNotFoundException model_not_exist 1500
    """,
    ErrorKind.AUTHENTICATION: """
        invalid_api_key API_KEY_INVALID authentication_error AuthenticationError invalid_authentication
        invalid_authentication_error UNAUTHENTICATED auth_error token_expired API_KEY_EXPIRED
        UnrecognizedClientException InvalidSignatureException ExpiredTokenException unauthorized 1004 2049
    """,
    ErrorKind.PERMISSION: """
        permission_denied permission_error PermissionDeniedError AccessDeniedException forbidden
        key_model_access_denied unsupported_country_region_territory access_denied
    """,
    ErrorKind.RATE_LIMIT: """
        rate_limit_exceeded rate_limit_error RateLimitError too_many_requests RESOURCE_EXHAUSTED
        ThrottlingException Throttling throttling_error rate_limited rate_limit requests_limit_exceeded
        TooManyRequestsException ServiceQuotaExceededException 1002 1039 1302 1303 1305
    """,
    ErrorKind.SERVER: """
        overloaded_error overloaded server_error api_error internal_server_error InternalServerError INTERNAL
        internal_error UNAVAILABLE service_unavailable ServiceUnavailableException ServiceUnavailableError
        InternalServerException engine_overloaded_error model_overloaded upstream_error bad_gateway
        ModelErrorException ModelNotReadyException server_overloaded ServiceUnavailable provider_error
    """,
    ErrorKind.TIMEOUT: """
        timeout timeout_error DEADLINE_EXCEEDED gateway_timeout ModelTimeoutException request_timeout
    """,
    ErrorKind.BAD_REQUEST: """
        invalid_request_error BadRequestError INVALID_ARGUMENT FAILED_PRECONDITION invalid_request validation
        ValidationException bad_request validation_error UnprocessableEntityError invalid_parameter_error
        unsupported_parameter invalid_value
    """,
}
#: what each known code means
BY_CODE = {plain(code): kind for kind, codes in _CODES.items() for code in codes.split()}
