"""The parameters that may hold a JSON schema, at any endpoint and server."""

WITH_SCHEMAS = frozenset({
    "functions", "guided_json", "json_schema", "output_config", "response_format", "structural_tag",
    "structured_outputs", "text", "tools",
})  # fmt: skip
