"""The Celery app. A message carries two ids, of a chunk and its epoch, and nothing else.

docs/operations.md gives the reason for each setting; each was read in the source of Celery and kombu 5.7.0
or reproduced with them.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu import Exchange, Queue

from tasks.connections import broker
from tasks.settings import Settings, load_settings
from tasks.store.chunks import DISPATCH

#: seconds after which an unacknowledged message is delivered again; epochs fence chunks, so an early
#: redelivery is harmless
VISIBILITY_TIMEOUT_S = 1800


def create_app(settings: Settings) -> Celery:
    """Return the app for these settings; it does not connect yet."""
    app = Celery("waybill", broker="memory://", include=["tasks.stages.celery_tasks"])
    app.conf.update(_CONFIG)
    if settings.redis.url:
        of_broker = broker.settings_of(settings.redis.url)
        options = _CONFIG["broker_transport_options"] | of_broker.pop("broker_transport_options", {})
        app.conf.update(of_broker, broker_transport_options=options)
    app.conf.task_queues = [queue_of(name) for name in queue_names(settings)]
    return app


def queue_names(settings: Settings) -> list[str]:
    """Return the names of all queues: one per stage, and one per model so that models scale separately."""
    return ["embed", "route", "judge", *(f"{DISPATCH}.{model.name}" for model in settings.models)]


def queue_of(name: str) -> Queue:
    """Return the queue of this name."""
    # The default exchange: a named exchange drops messages silently when its binding is lost.
    return Queue(name, Exchange(""), routing_key=name)


_CONFIG: dict[str, Any] = {
    "task_serializer": "json",
    "result_serializer": "json",
    "accept_content": ["json"],
    "task_ignore_result": True,
    "task_store_errors_even_if_ignored": False,
    "task_acks_late": True,
    "task_default_queue": "embed",
    "task_create_missing_queues": False,
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    "worker_pool_start_method": "spawn",
    "worker_proc_alive_timeout": 120,
    "worker_enable_soft_shutdown_on_idle": False,
    "worker_send_task_events": True,
    "task_send_sent_event": True,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_connection_timeout": 5,
    "broker_transport_options": {
        "visibility_timeout": VISIBILITY_TIMEOUT_S,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 20,
    },
    "timezone": "UTC",
}


def __getattr__(name: str) -> Celery:
    """Create `app` on first access, for `celery -A tasks.app`; importing the module reads no settings."""
    if name in ("app", "celery"):
        globals()["app"] = globals()["celery"] = create_app(load_settings())
        return globals()["app"]
    raise AttributeError(name)
