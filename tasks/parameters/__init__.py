"""The parameters that requests may set: one table for what is accepted and for what is sent."""

from tasks.parameters.table import CHAT, Parameter

__all__ = ["CHAT", "Parameter"]
