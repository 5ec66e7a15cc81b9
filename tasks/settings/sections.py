"""The sections of the settings file, a class per TOML table.

`[router]` and `[[models]]` have files of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from router_core.embedding.precision import Precision
from tasks.connections.credentials import UNCLEAR, are_clear
from tasks.connections.redis_url import is_redis_url


class Section(BaseModel):
    """A table of the settings file; unknown keys are errors."""

    # By alias, so that pydantic-settings finds the defaults that it merges with the environment.
    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)


Validation = Literal["off", "flag", "retry"]
#: the embedder's name for static embeddings distilled from all-MiniLM-L6-v2
STATIC = "static"


class StoreSettings(Section):
    """The store of record; without a URL it is SQLite under `home`."""

    url: str | None = None

    @field_validator("url")
    @classmethod
    def _is_database(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("sqlite:", "sqlite+", "postgresql:", "postgresql+")):
            raise ValueError("is no URL like postgresql://USER:PASSWORD@HOST/NAME or sqlite:////PATH")
        if url is not None and not are_clear(url):
            raise ValueError(UNCLEAR)
        return url


class RedisSettings(Section):
    """The Redis server; without a URL, `waybill up` starts an embedded one."""

    url: str | None = None

    @field_validator("url")
    @classmethod
    def _is_redis(cls, url: str | None) -> str | None:
        if url is not None and not are_clear(url):
            raise ValueError(UNCLEAR)
        if url is not None and not is_redis_url(url):
            raise ValueError(
                "is no URL like redis://USER:PASSWORD@HOST:6379/0, rediss://…, unix://PATH or "
                "redis+sentinel://USER:PASSWORD@HOST:26379,HOST:26379/MASTER/0"
            )
        return url


class EmbedderSettings(Section):
    """The embedding model; workers use the one that their router was trained with."""

    #: for training: a sentence-transformers model, or `static` for one distilled from all-MiniLM-L6-v2
    model: str = STATIC
    #: the precision of a transformer's matrix products; by default the faster one on this machine
    precision: Precision | None = None
    max_cached_vectors: int = Field(default=1_000_000, gt=0)


class DispatchSettings(Section):
    """The rules by which calls to models are made and retried."""

    in_flight: int = Field(default=256, gt=0)
    group_size: int = Field(default=64, gt=0)
    attempts_per_model: int = Field(default=3, gt=0)
    #: attempts on the last model that a request may use, as long as its calls fail unbilled
    attempts_last_model: int = Field(default=10, gt=0)
    max_models: int = Field(default=2, gt=0)
    backoff_s: float = Field(default=1.0, gt=0)
    backoff_cap_s: float = Field(default=60.0, gt=0)
    drain_s: float = Field(default=60.0, gt=0)
    #: seconds that a model is on hold after its key, credit or permission failed
    pause_s: float = Field(default=30.0, gt=0)
    #: how many such holds a request waits for before it goes to another model
    pauses: int = Field(default=20, gt=0)
    #: what becomes of an answer that does not fit the schema that its request demands: off, flag or retry
    validation: Validation = Field(default="retry", alias="validate")
    #: how often a model is asked again after such an answer
    validate_attempts: int = Field(default=1, ge=0)


class BreakerSettings(Section):
    """The rules of the models' circuit breakers, which all workers share."""

    window_s: float = Field(default=30.0, gt=0)
    min_calls: int = Field(default=20, gt=0)
    failure_rate: float = Field(default=0.5, gt=0, le=1)
    #: seconds that the circuit stays open; each failed probe doubles them, up to `open_cap_s`
    open_s: float = Field(default=15.0, gt=0)
    open_cap_s: float = Field(default=240.0, gt=0)
    #: how long requests that no other model may answer wait for the model
    give_up_s: float = Field(default=86_400.0, gt=0)


class JudgeSettings(Section):
    """The judges, and how much of a question and of the answers they see."""

    #: one to five of [[models]]
    models: tuple[str, ...] = Field(default=(), max_length=5)
    #: the length in characters at which the question and each answer are cut
    max_question_chars: int = Field(default=16_000, gt=0)
    max_answer_chars: int = Field(default=8_000, gt=0)
    #: the most tokens of a judge's reply
    max_tokens: int = Field(default=512, gt=0)
    #: how often a call is repeated after an invalid reply
    repeats: int = Field(default=1, ge=0)


class RetentionSettings(Section):
    """How long prompts and answers are kept."""

    #: days after the end of a batch; None: until `waybill data delete`
    days: float | None = Field(default=None, gt=0)


class UpkeepSettings(Section):
    """The intervals of the relay and the sweeper, in seconds."""

    #: a worker's lease on a chunk; workers renew it three times in that time
    lease_s: float = Field(default=60.0, gt=0)
    relay_s: float = Field(default=0.1, gt=0)
    sweep_s: float = Field(default=1.0, gt=0)
    #: a queued chunk whose message is lost is announced again after this time
    republish_s: float = Field(default=30.0, gt=0)


class FlowerSettings(Section):
    """The Flower dashboard, on loopback and with a password by default."""

    address: str = "127.0.0.1"
    port: int = 5555
    #: the environment variable that holds `user:password`
    auth_env: str = "WAYBILL_FLOWER_AUTH"


class MetricsSettings(Section):
    """`/metrics` for Prometheus: off until the environment holds a token, and on loopback by default."""

    address: str = "127.0.0.1"
    port: int = Field(default=9464, ge=0, le=65_535)
    #: the environment variable of the token that Prometheus sends as `Authorization: Bearer …`
    token_env: str = "WAYBILL_METRICS_TOKEN"


class ApiSettings(Section):
    """The API server (`waybill api`), on loopback by default."""

    address: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65_535)
    #: where uploaded files are kept: a folder or an object store's URL; default: `files` under `home`
    files: str | None = None
    #: the certificate and its key, both PEM; without them plain HTTP, for loopback or behind a proxy
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    max_file_mb: float = Field(default=512.0, gt=0)
    #: the size of a file that is uploaded in parts, of 64 MB at most
    max_upload_mb: float = Field(default=8192.0, gt=0)
    #: what the uploaded files of one key may have together
    max_stored_gb: float = Field(default=100.0, gt=0)
    #: seconds in which an equal creation of a batch is taken for a repeated one, if its reply may be lost
    repeat_s: float = Field(default=600.0, ge=0)
    #: seconds that a client may take for the head of a request, and for each further piece of it
    patience_s: float = Field(default=30.0, gt=0)
    #: connections at once, per process
    max_connections: int = Field(default=1000, gt=0)
    #: where the ends of all batches are announced, and the environment variable of the secret that signs it
    webhook_url: str | None = None
    webhook_secret_env: str = "WAYBILL_WEBHOOK_SECRET"
    #: seconds after which the validation of a batch passes from a process that died to another
    lease_s: float = Field(default=30.0, gt=0)

    @model_validator(mode="after")
    def _certificate_has_key(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together")
        return self
