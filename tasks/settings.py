"""Settings, read in one place: `waybill.toml`, the running local stack, and `WAYBILL_*` in the environment.

A nested key is named with two underscores: `WAYBILL_STORE__URL`.
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from router_core.encoders.precision import Precision
from router_core.pricing import Price
from router_core.wish import Policy, implied_policy
from tasks.errors import SettingsError, UsageError
from tasks.price_list import listed_price
from tasks.providers.values import OPENAI_PREFIX, Transport

STATIC = "static"
CONFIG_VARIABLE = "WAYBILL_CONFIG"
STACK_FILE = Path("run") / "stack.json"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSettings(_Section):
    """One model that requests may be sent to."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$")
    #: LiteLLM's model string, such as `openai/gpt-4o-mini`
    litellm: str
    #: litellm reaches every provider; direct calls an OpenAI-compatible `api_base` at a fraction of the CPU
    transport: Transport = "litellm"
    api_base: str | None = None
    #: the environment variable that holds the key; the key itself is never in a file
    api_key_env: str | None = None
    #: dollars per million tokens; without both, LiteLLM's price list is asked
    input_price: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    output_price: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    #: call it although nobody knows its price: its calls count as free, so no budget may be set
    allow_unpriced: bool = False
    rpm: int | None = Field(default=None, gt=0)
    tpm: int | None = Field(default=None, gt=0)
    max_concurrency: int = Field(default=256, gt=0)
    timeout_s: float = Field(default=120.0, gt=0)
    #: sent with requests that name no `max_tokens`: without a bound no worst case can be reserved
    max_tokens: int = Field(default=1024, gt=0)
    #: the answer length that cost estimates assume
    expected_tokens: int = Field(default=200, gt=0)
    #: the mean score it is expected to have, on the labels' scale: where it starts while it has few labels
    prior: float | None = Field(default=None, allow_inf_nan=False)
    #: whether prompts may be routed to it; if not, it answers requests that name it, and may judge
    routed: bool = True
    #: its vendor, by which a judge's preference for its own family is found; unset, LiteLLM's provider
    family: str | None = None

    @model_validator(mode="after")
    def _direct_knows_where_to_call(self) -> Self:
        name = self.litellm.removeprefix(OPENAI_PREFIX)
        if self.transport == "direct" and (self.api_base is None or name in ("", self.litellm)):
            raise ValueError(f'transport = "direct" needs api_base and litellm = "{OPENAI_PREFIX}NAME"')
        return self

    @model_validator(mode="after")
    def _prices_come_in_pairs(self) -> Self:
        if (self.input_price is None) != (self.output_price is None):
            raise ValueError("set input_price and output_price, or neither of them")
        return self

    @property
    def known_price(self) -> Price | None:
        """Its price by the settings, else by LiteLLM's list; None where neither knows it."""
        if self.input_price is not None and self.output_price is not None:
            return Price(self.input_price, self.output_price)
        return listed_price(self.litellm)

    @property
    def price(self) -> Price:
        """What its calls are counted with.

        Raises
        ------
        SettingsError
            Nobody knows its price, and the settings do not say that it may be called all the same.
        """
        known = self.known_price
        if known is None and not self.allow_unpriced:
            raise SettingsError(
                f"the price of model {self.name!r} is not known: set its input_price and output_price "
                "(dollars per million tokens), or allow_unpriced = true to call it without counting its cost"
            )
        return known or Price(0.0, 0.0)

    def api_key(self) -> SecretStr | None:
        """The key, read when a worker that may call providers asks for it."""
        value = os.environ.get(self.api_key_env) if self.api_key_env else None
        return SecretStr(value) if value else None


class StoreSettings(_Section):
    """The store of record."""

    url: str | None = None


class RedisSettings(_Section):
    """The broker; without a URL `waybill up` starts an embedded server."""

    url: str | None = None


class RouterSettings(_Section):
    """The router artefact, and what is used until there is one."""

    path: Path | None = None
    default_model: str | None = None
    #: saving, quality, weighted, budget or cargo: see docs/method.md
    policy: Policy = "saving"
    #: the gap below which the pairwise classifier decides; unset, the one that training chose
    tau: float | None = Field(default=None, ge=0)
    #: how far below the best single model's prediction a cheaper model may be
    quality_floor: float = Field(default=0.0, ge=0)
    #: what share of the scores' range saving the best single model's cost is worth; unset, the trained one
    cost_weight: float | None = Field(default=None, ge=0)
    #: what `budget` may spend on a thousand prompts, in dollars
    budget_per_1000: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _budget_is_named(self) -> Self:
        if self.policy == "budget" and self.budget_per_1000 is None:
            raise ValueError("policy = 'budget' needs budget_per_1000")
        return self

    def with_wishes(
        self,
        *,
        policy: Policy | None = None,
        tau: float | None = None,
        quality_floor: float | None = None,
        cost_weight: float | None = None,
        budget_per_1000: float | None = None,
    ) -> Self:
        """These settings with what was given in its place; a weight or a budget alone names its policy.

        Raises
        ------
        UsageError
            The policy `budget` was asked for without a budget.
        """
        named = implied_policy(policy, cost_weight=cost_weight, budget=budget_per_1000) or self.policy
        given = {
            "tau": tau,
            "quality_floor": quality_floor,
            "cost_weight": cost_weight,
            "budget_per_1000": budget_per_1000,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        if named == "budget" and changes.get("budget_per_1000", self.budget_per_1000) is None:
            raise UsageError("the policy 'budget' needs a budget per thousand prompts")
        return self.model_copy(update={**changes, "policy": named})


class EmbedderSettings(_Section):
    """What embeds prompts; workers take the model that their router was trained with."""

    #: for training: a sentence-transformers model, or `static`: one distilled from all-MiniLM-L6-v2
    model: str = STATIC
    #: of a transformer's matrix products; unset, the one that this machine is faster at
    precision: Precision | None = None
    max_cached_vectors: int = Field(default=1_000_000, gt=0)


class DispatchSettings(_Section):
    """How calls are made and repeated."""

    in_flight: int = Field(default=256, gt=0)
    group_size: int = Field(default=32, gt=0)
    attempts_per_model: int = Field(default=3, gt=0)
    #: for the last model that a request may use, as long as its calls fail unbilled
    attempts_last_model: int = Field(default=10, gt=0)
    max_models: int = Field(default=2, gt=0)
    backoff_s: float = Field(default=1.0, gt=0)
    backoff_cap_s: float = Field(default=60.0, gt=0)
    drain_s: float = Field(default=60.0, gt=0)
    #: a model whose key, credit or permission fails rests this long, and this often for each request
    pause_s: float = Field(default=30.0, gt=0)
    pauses: int = Field(default=20, gt=0)


class BreakerSettings(_Section):
    """When a model's circuit opens, for all workers."""

    window_s: float = Field(default=30.0, gt=0)
    min_calls: int = Field(default=20, gt=0)
    failure_rate: float = Field(default=0.5, gt=0, le=1)
    #: doubled by each failed probe, up to the cap
    open_s: float = Field(default=15.0, gt=0)
    open_cap_s: float = Field(default=240.0, gt=0)
    #: requests that no other model may answer wait this long for it
    give_up_s: float = Field(default=86_400.0, gt=0)


class JudgeSettings(_Section):
    """Who judges answers, and what a judge is shown."""

    #: one to five of [[models]]
    models: tuple[str, ...] = Field(default=(), max_length=5)
    #: where the question and each answer are cut, in characters
    max_question_chars: int = Field(default=16_000, gt=0)
    max_answer_chars: int = Field(default=8_000, gt=0)
    #: of a judge's reply
    max_tokens: int = Field(default=512, gt=0)
    #: how often a reply that cannot be used is asked for again
    repeats: int = Field(default=1, ge=0)


class UpkeepSettings(_Section):
    """The relay and the sweeper."""

    lease_s: float = Field(default=60.0, gt=0)
    relay_s: float = Field(default=0.1, gt=0)
    sweep_s: float = Field(default=1.0, gt=0)
    republish_s: float = Field(default=30.0, gt=0)


class FlowerSettings(_Section):
    """Flower listens on loopback and asks for a password unless told otherwise."""

    address: str = "127.0.0.1"
    port: int = 5555
    #: the environment variable that holds `user:password`
    auth_env: str = "WAYBILL_FLOWER_AUTH"


class Settings(BaseSettings):
    """Everything an operator may set."""

    model_config = SettingsConfigDict(
        env_prefix="WAYBILL_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    home: Path = Path(".waybill")
    store: StoreSettings = StoreSettings()
    redis: RedisSettings = RedisSettings()
    router: RouterSettings = RouterSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    dispatch: DispatchSettings = DispatchSettings()
    breaker: BreakerSettings = BreakerSettings()
    judge: JudgeSettings = JudgeSettings()
    upkeep: UpkeepSettings = UpkeepSettings()
    flower: FlowerSettings = FlowerSettings()
    models: tuple[ModelSettings, ...] = ()

    @field_validator("models")
    @classmethod
    def _names_are_unique(cls, models: tuple[ModelSettings, ...]) -> tuple[ModelSettings, ...]:
        names = [model.name for model in models]
        if len(set(names)) != len(names):
            raise ValueError("two models have the same name")
        if models and not any(model.routed for model in models):
            raise ValueError("no prompt could be routed: every model has routed = false")
        return models

    @property
    def store_url(self) -> str:
        """The store's SQLAlchemy URL: SQLite under `home` unless set."""
        return self.store.url or f"sqlite:///{(self.home / 'waybill.db').absolute()}"

    @property
    def cache_directory(self) -> Path:
        """Where embedding workers of this host share their vectors."""
        return self.home / "vectors"

    @property
    def redis_url(self) -> str:
        """The broker's URL.

        Raises
        ------
        SettingsError
            None is set and no local stack runs.
        """
        if self.redis.url is None:
            raise SettingsError("no Redis: set [redis] url, or start the local stack with `waybill up`")
        return self.redis.url

    @property
    def candidates(self) -> tuple[ModelSettings, ...]:
        """The models that prompts may be routed to."""
        return tuple(model for model in self.models if model.routed)

    @property
    def priors(self) -> dict[str, float]:
        """The mean scores that models are expected to have, of those that name one."""
        return {model.name: model.prior for model in self.models if model.prior is not None}

    @property
    def families(self) -> dict[str, str]:
        """The vendor of each model."""
        return {model.name: model.family or model.litellm.partition("/")[0] for model in self.models}

    def model(self, name: str) -> ModelSettings:
        """The model of this name; raises SettingsError when there is none."""
        for model in self.models:
            if model.name == name:
                return model
        raise SettingsError(f"no model {name!r} among [[models]]")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment outranks the values passed in, which come from the file and the stack."""
        return env_settings, init_settings


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings of this process.

    Raises
    ------
    SettingsError
        A file is missing or malformed, or a key is unknown or has a bad value: all three are named.
    """
    file = path or _named_file()
    values = _read_toml(file) if file else {}
    home = Path(os.environ.get("WAYBILL_HOME", values.get("home", ".waybill")))
    return _validated({**values, **running_stack(home)}, file)


def running_stack(home: Path) -> dict[str, Any]:
    """What `waybill up` set when it started its stack here, if that stack still runs."""
    try:
        stack = json.loads((home / STACK_FILE).read_text())
        os.kill(stack["pid"], 0)
    except (OSError, ValueError, KeyError):
        return {}
    settings: dict[str, Any] = stack["settings"]
    return settings


def _named_file() -> Path | None:
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    return Path("waybill.toml") if Path("waybill.toml").exists() else None


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from None


def _validated(values: dict[str, Any], file: Path | None) -> Settings:
    try:
        return Settings(**values)
    except ValidationError as error:
        # The message never quotes the value: it may be a secret in the wrong place.
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"{file or 'settings'}: {problems}") from None
