"""`/v1/responses` (OpenAI API reference, "Create a model response")."""
