"""Reading and writing of the configuration: TOML for people, JSON between processes."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from workers.simulator.config import ModelProfile, SimulatorConfig
from workers.simulator.errors import SimulatorConfigError
from workers.simulator.faults import Fault
from workers.simulator.judge import JudgeProfile

_MODEL_KEYS = {item.name for item in fields(ModelProfile)}
_JUDGE_KEYS = {item.name for item in fields(JudgeProfile)}
_CONFIG_KEYS = {item.name for item in fields(SimulatorConfig)}


def default_config() -> SimulatorConfig:
    """Return the configuration of `default.toml`: four documented models, without failures."""
    return load_config(Path(__file__).with_name("default.toml"))


def provider_config() -> SimulatorConfig:
    """Return the configuration of `providers.toml`: models of real providers, at their list prices."""
    return load_config(Path(__file__).with_name("providers.toml"))


def load_config(path: Path) -> SimulatorConfig:
    """Read a `.toml` or `.json` file; raises SimulatorConfigError, which names file and reason."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        return _config(raw)
    except (OSError, ValueError, TypeError, SimulatorConfigError) as error:
        raise SimulatorConfigError(f"{path}: {error}") from error


def dump_config(config: SimulatorConfig) -> str:
    """Return the configuration as JSON, for `load_config`."""
    return json.dumps(asdict(config))


def parse_failures(raw: Mapping[str, float]) -> dict[Fault, float]:
    """Return the failures by member of Fault; raises SimulatorConfigError for an unknown name."""
    unknown = sorted(set(raw) - set(Fault))
    if unknown:
        raise SimulatorConfigError(f"unknown failure {unknown[0]!r}; known: {', '.join(Fault)}")
    return {Fault(name): float(share) for name, share in raw.items()}


def parse_judging(raw: Mapping[str, Any]) -> JudgeProfile:
    """Return how a model judges; raises SimulatorConfigError for an unknown key."""
    _refuse_unknown(raw, _JUDGE_KEYS)
    return JudgeProfile(**raw)


def _config(raw: Mapping[str, Any]) -> SimulatorConfig:
    _refuse_unknown(raw, _CONFIG_KEYS)
    models = tuple(_model(entry) for entry in raw.get("models", ()))
    return SimulatorConfig(**{**raw, "models": models})


def _model(raw: Mapping[str, Any]) -> ModelProfile:
    _refuse_unknown(raw, _MODEL_KEYS)
    judging = parse_judging(raw.get("judging", {}))
    return ModelProfile(**{**raw, "failures": parse_failures(raw.get("failures", {})), "judging": judging})


def _refuse_unknown(raw: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(raw) - known)
    if unknown:
        raise SimulatorConfigError(f"unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")
