"""The endpoints of the OpenAI API that a request may be sent to, one module per endpoint."""
