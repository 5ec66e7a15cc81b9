"""The settings of a process, all sections together."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tasks.errors import SettingsError
from tasks.formats.determinism import Dedupe
from tasks.settings.models import ModelSettings
from tasks.settings.router import RouterSettings
from tasks.settings.sections import (
    ApiSettings,
    BreakerSettings,
    DispatchSettings,
    EmbedderSettings,
    FlowerSettings,
    JudgeSettings,
    MetricsSettings,
    RedisSettings,
    RetentionSettings,
    StoreSettings,
    UpkeepSettings,
)


class Settings(BaseSettings):
    """All settings; the environment takes precedence over the file and the local stack."""

    model_config = SettingsConfigDict(
        env_prefix="WAYBILL_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
    )

    home: Path = Path(".waybill")
    #: which equal requests of a batch are answered by one call
    dedupe: Dedupe = "all"
    #: dollars that a batch of the command or of Python may cost which names no budget
    budget: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    store: StoreSettings = StoreSettings()
    redis: RedisSettings = RedisSettings()
    router: RouterSettings = RouterSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    dispatch: DispatchSettings = DispatchSettings()
    breaker: BreakerSettings = BreakerSettings()
    judge: JudgeSettings = JudgeSettings()
    upkeep: UpkeepSettings = UpkeepSettings()
    retention: RetentionSettings = RetentionSettings()
    flower: FlowerSettings = FlowerSettings()
    metrics: MetricsSettings = MetricsSettings()
    api: ApiSettings = ApiSettings()
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
        """The store's SQLAlchemy URL; by default SQLite under `home`."""
        return self.store.url or f"sqlite:///{(self.home / 'waybill.db').absolute()}"

    @property
    def cache_directory(self) -> Path:
        """The directory of the vector cache, which the embedding workers of this host share."""
        return self.home / "vectors"

    @property
    def redis_url(self) -> str:
        """The URL of the Redis server; raises SettingsError if none is set and no local stack runs."""
        if self.redis.url is None:
            stack = f", or start the local stack with {self.stack_command}" if self.stack_command else ""
            raise SettingsError(f"no Redis: set [redis] url{stack}")
        return self.redis.url

    @property
    def stack_command(self) -> str:
        """The command that starts a stack with these settings; empty where none should be started.

        At a team's store it would be a second stack, with a Redis, limits and circuits of its own.
        """
        if not self.store_url.startswith("sqlite"):
            return ""
        return "`waybill up`" if self.models else "`waybill up --simulate`"

    @property
    def models_advice(self) -> str:
        """What to do where there are no models."""
        simulated = f", or start simulated ones with {self.stack_command}" if self.stack_command else ""
        return f"add [[models]] to waybill.toml (`waybill init` writes one){simulated}"

    @property
    def candidates(self) -> tuple[ModelSettings, ...]:
        """The models that requests may be routed to."""
        return tuple(model for model in self.models if model.is_candidate)

    @property
    def priors(self) -> dict[str, float]:
        """The expected mean score by model, for the models that set `prior`."""
        return {model.name: model.prior for model in self.models if model.prior is not None}

    @property
    def families(self) -> dict[str, str]:
        """The vendor by model."""
        return {model.name: model.family or model.litellm.partition("/")[0] for model in self.models}

    def model(self, name: str) -> ModelSettings:
        """Return the model of this name; raises SettingsError if there is none."""
        for model in self.models:
            if model.name == name:
                return model
        near = get_close_matches(name, [model.name for model in self.models], n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise SettingsError(f"no model {name!r} among [[models]]{meant}")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources in order of precedence: the environment, then the values from file and stack."""
        return env_settings, init_settings
