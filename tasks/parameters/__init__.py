"""The parameters that requests may set: one table for what is accepted and for what is sent."""

from tasks.parameters.table import CHAT_PARAMETERS, Parameter

__all__ = ["CHAT_PARAMETERS", "Parameter"]
