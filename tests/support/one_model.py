"""Settings with one model, and the Python API with them."""

from __future__ import annotations

from pathlib import Path

from waybill import Waybill

MODEL = """
[[models]]
name = "small"
litellm = "openai/small"
input_price = 1
output_price = 2
"""


def write_settings(folder: Path, store_url: str, before: str = "") -> Path:
    """Write a waybill.toml with a store and one model, and what else stands before them; return its path."""
    config = folder / "waybill.toml"
    config.write_text(f'{before}\n[store]\nurl = "{store_url}"\n{MODEL}')
    return config


def waybill_of(folder: Path, store_url: str, before: str = "") -> Waybill:
    """Return the Python API with such settings."""
    return Waybill(write_settings(folder, store_url, before))


def named(*prompts: str) -> list[dict[str, str]]:
    """Return requests with these prompts that name the model."""
    return [{"prompt": prompt, "model": "small"} for prompt in prompts]
