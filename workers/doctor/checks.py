"""The checks of an installation; each yields findings, with advice where something is wrong."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from router_core.errors import RouterCoreError
from tasks import private_home
from tasks.connections.store_url import shown_store
from tasks.errors import WaybillError
from tasks.settings import Settings
from workers.doctor import (
    address_checks,
    learning_checks,
    model_checks,
    redis_checks,
    replication,
    worker_checks,
)
from workers.doctor.finding import Finding, Level

_MIN_FREE_BYTES = 1 << 30
_TIMEOUT_S = 3.0


def run_checks(settings: Settings) -> list[Finding]:
    """Run all checks and return their findings, none of which contains a key or a password.

    Some checks run only where the store, or Redis, can be reached.
    """
    checks = (
        _disk,
        _privacy,
        _store,
        redis_checks.redis,
        model_checks.models,
        address_checks.addresses,
        model_checks.keys,
        learning_checks.judges,
        _router,
        _embedder,
    )
    findings = [finding for check in checks for finding in check(settings)]
    reached = {finding.name for finding in findings if finding.level is Level.OK}
    if "store" in reached:
        findings += replication.replication(settings)
        findings += learning_checks.waiting_requests(settings)
        findings += learning_checks.drift(settings)
        findings += model_checks.held(settings)
    has_redis = settings.redis.url is not None and "redis" in reached
    findings += worker_checks.workers(settings, store="store" in reached, redis=has_redis)
    return findings


def _disk(settings: Settings) -> Iterator[Finding]:
    home = settings.home.absolute()
    existing = next(folder for folder in (home, *home.parents) if os.path.exists(folder))
    free = shutil.disk_usage(existing).free
    level = Level.OK if free > _MIN_FREE_BYTES else Level.WARN
    yield Finding(
        "disk", level, f"{free / 2**30:.1f} GiB free at {home}", "" if level is Level.OK else "make room"
    )
    if not os.access(existing, os.W_OK):
        yield Finding("disk", Level.FAIL, f"{existing} cannot be written to", "set home or WAYBILL_HOME")


def _privacy(settings: Settings) -> Iterator[Finding]:
    file = settings.store_url.partition("///")[2].partition("?")[0]
    database = [Path(file)] if settings.store_url.startswith("sqlite") and file else []
    for path in dict.fromkeys((*private_home.exposed(settings.home.absolute()), *database)):
        if private_home.is_exposed(path):
            mode = stat.S_IMODE(path.stat().st_mode)
            advice = f"chmod go= {path}" if path.stat().st_uid == os.getuid() else "its owner can close it"
            yield Finding("privacy", Level.WARN, f"others may get at {path} (mode {mode:04o})", advice)


def _store(settings: Settings) -> Iterator[Finding]:
    from tasks.store.engine import Store
    from tasks.store.schema import ensure_schema

    try:
        store = Store(settings.store_url)
    except WaybillError as error:
        yield Finding("store", Level.FAIL, str(error), "correct [store] url")
        return
    url = shown_store(store.engine.url)
    try:
        ensure_schema(store)
        yield Finding("store", Level.OK, url)
    except WaybillError as error:
        yield Finding("store", Level.FAIL, str(error), "check [store] url and that its server runs")
    finally:
        store.close()


def _router(settings: Settings) -> Iterator[Finding]:
    from router_core.router import Router
    from tasks.stages.candidates import default_model

    try:
        path = _router_path(settings)
        router = Router.load(path) if path else None
    except (RouterCoreError, WaybillError) as error:
        yield Finding("router", Level.FAIL, str(error), "train it again, or correct [router] path")
        return
    if router is None:
        default = (
            f"every prompt goes to {default_model(settings, settings.candidates)}"
            if settings.models
            else "none"
        )
        yield Finding("router", Level.WARN, default, "`waybill train`, then `waybill promote` it")
        return
    yield Finding("router", Level.OK, f"version {router.version} in {path}, all hashes match")
    yield from _model_differences(router.models, settings)


def _model_differences(known: Sequence[str], settings: Settings) -> Iterator[Finding]:
    """Compare the router's models with those of the settings."""
    configured = {model.name for model in settings.candidates}
    if missing := [name for name in known if name not in configured]:
        advice = "they are routed around; add them to [[models]], or train on labels of your models"
        text = f"it knows models that are not here: {', '.join(missing)}"
        yield Finding("router", Level.WARN, text, advice)
    if new := sorted(configured - set(known)):
        advice = "`waybill submit --explore 0.02` or `waybill collect`, then `waybill train --from-store`"
        text = f"it does not know {', '.join(new)}, which it will hardly choose"
        yield Finding("router", Level.WARN, text, advice)


def _router_path(settings: Settings) -> Path | None:
    """Return the directory of the router that routes: the store's champion, else that of the settings."""
    from tasks.stages.context import WorkerContext
    from tasks.store.routers import roles

    context = WorkerContext(settings)
    try:
        with context.store.read() as connection:
            current = roles.read(connection)
    except SQLAlchemyError:  # `_store` has reported it
        return settings.router.path
    try:
        return context.router_path(current)
    finally:
        context.store.close()


def _embedder(settings: Settings) -> Iterator[Finding]:
    from router_core.embedding.embedder import Embedder
    from router_core.embedding.spec import EmbedderSpec

    try:
        path = _router_path(settings)
        if path is None:
            yield Finding("embedder", Level.OK, "none needed until there is a router")
            return
        embedder = Embedder.for_spec(EmbedderSpec.read(path))
    except (RouterCoreError, WaybillError) as error:
        yield Finding("embedder", Level.FAIL, str(error), "install the model, or train the router again")
    except ModuleNotFoundError as error:
        advice = "pip install 'waybill[embed]' where embedding workers run"
        yield Finding("embedder", Level.WARN, f"{error.name} is not installed here", advice)
    else:
        kind = "static, carried by the router" if embedder.is_static else "files verified"
        yield Finding("embedder", Level.OK, f"{embedder.name}, {embedder.dimension} dimensions, {kind}")
