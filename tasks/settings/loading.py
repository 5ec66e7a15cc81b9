"""Loading of the settings: `waybill.toml`, the running local stack, and `WAYBILL_*` in the environment."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from router_core.regular_files import reason_of
from tasks.errors import SettingsError
from tasks.settings.problems import problems_text
from tasks.settings.running_stack import find_running_stack
from tasks.settings.settings import Settings

CONFIG_VARIABLE = "WAYBILL_CONFIG"


def load_settings(path: Path | None = None) -> Settings:
    """Return the settings of this process.

    Args:
        path: The settings file; by default that of `WAYBILL_CONFIG`, else `waybill.toml` if it exists.

    Raises:
        SettingsError: A file is missing or malformed, or a key is unknown or has a bad value. The message
            names the file, the key and the reason.
    """
    file = path or _named_file()
    values = _read_toml(file) if file else {}
    home = Path(os.environ.get("WAYBILL_HOME", values.get("home", ".waybill")))
    stack = find_running_stack(home)
    return _validated({**values, **(stack.settings if stack else {})}, file)


def _named_file() -> Path | None:
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    return Path("waybill.toml") if Path("waybill.toml").exists() else None


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except OSError as error:
        raise SettingsError(f"{file}: {reason_of(error)}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from None


def _validated(values: dict[str, Any], file: Path | None) -> Settings:
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError(f"{file or 'settings'}: {problems_text(error, Settings, values)}") from None
