"""The settings: `waybill.toml`, the running local stack, and `WAYBILL_*` in the environment.

Two underscores in a variable's name stand for a nested key: `WAYBILL_STORE__URL` is `url` in `[store]`.
"""

from tasks.settings.loading import CONFIG_VARIABLE, load_settings
from tasks.settings.models import ModelSettings
from tasks.settings.router import RouterSettings
from tasks.settings.running_stack import STACK_FILE
from tasks.settings.sections import (
    STATIC,
    DispatchSettings,
    JudgeSettings,
    RedisSettings,
)
from tasks.settings.settings import Settings

__all__ = [
    "CONFIG_VARIABLE",
    "STACK_FILE",
    "STATIC",
    "DispatchSettings",
    "JudgeSettings",
    "ModelSettings",
    "RedisSettings",
    "RouterSettings",
    "Settings",
    "load_settings",
]
