"""Registering routers in the store, and choosing the one that routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from router_core.artefact import artefact_files
from router_core.router import Router
from tasks.errors import UsageError
from tasks.settings import Settings
from tasks.store.engine import Store
from tasks.store.routers import roles, versions

#: A challenger is better if its gain exceeds this many standard errors, on at least so many held-out prompts:
#: on fewer, the standard error itself is not known well.
SIGMAS, MIN_PROMPTS = 2.0, 30
#: what gives a comparison prompts that no router has seen
NEW_PROMPTS = (
    "`waybill collect` on new prompts, `waybill judge` and training once more compare on some of those"
)
#: where a router comes from that was trained on the labels of the store
SOURCE_OF_STORE_LABELS = "the store's labels"


def register(store: Store, path: Path, *, source: str, comparison: Mapping[str, Any] | None = None) -> str:
    """Store the router in a directory and return its version; one that is stored already stays as it is.

    Args:
        source: Where the router comes from, for `waybill routers`.
        comparison: Its comparison with the champion, on prompts that neither was trained on.

    Raises:
        ArtefactError: The directory holds no router, or a damaged one.
    """
    return _register(store, Router.load(path), path, source=source, comparison=comparison)


def _register(
    store: Store, router: Router, path: Path, *, source: str, comparison: Mapping[str, Any] | None = None
) -> str:
    files = artefact_files(path)
    figures = {**_version_record(router), "comparison": dict(comparison) if comparison else None}
    with store.write() as connection:
        versions.register(connection, router.version, files, source=source, figures=figures)
    return router.version


def resolve(store: Store, name: str, settings: Settings) -> str:
    """Return the version that a user means; a router named by its directory is stored first.

    Args:
        name: The first digits of a stored version, or a router's directory.
        settings: Whose models a directory's router must know.

    Raises:
        UsageError: No stored version begins so, or several do; or the directory's router, which is then not
            stored, knows none of the settings' models.
        ArtefactError: The directory holds no router, or a damaged one.
    """
    if Path(name).is_dir():
        router = Router.load(Path(name))
        _refuse_strangers(router.version, router.models, settings)
        return _register(store, router, Path(name), source=str(Path(name).absolute()))
    with store.read() as connection:
        try:
            return versions.find(connection, name).version
        except UsageError as error:
            advice = "`waybill routers` lists those it has"
            raise UsageError(f"{error}, and no directory has this name: {advice}") from None


def promote(
    store: Store, settings: Settings, version: str, *, if_better: bool = False, canary: float | None = None
) -> None:
    """Make a stored version the champion, or the canary for a share of the requests.

    Args:
        if_better: Refuse a version that did not beat the champion in its comparison; where none routes yet,
            its best single model.
        canary: The canary's share of the requests; None makes the version the champion.

    Raises:
        UsageError: The version is refused for `if_better`; or it knows none of the settings' models; or it
            would be a canary without a champion, or with another embedding model than the champion's.
    """
    with store.read() as connection:
        found = versions.find(connection, version)
    _refuse_strangers(found.version, found.figures.get("models", ()), settings)
    if if_better:
        _refuse_unless_better(found, current=_current(store, settings))
    if canary is None:
        with store.write() as connection:
            roles.promote(
                connection, found.version, reason="better on held-out prompts" if if_better else "asked"
            )
        return
    _adopt_champion(store, settings)
    with store.write() as connection:
        _refuse_other_embedder(versions.list_versions(connection), found)
        roles.start_canary(connection, found.version, share=canary)


def _adopt_champion(store: Store, settings: Settings) -> None:
    """Make the settings' router the champion where there is none: a canary is compared with a champion."""
    with store.read() as connection:
        champion = roles.read(connection).champion
    if champion is None and settings.router.path is not None:
        version = register(store, settings.router.path, source=str(settings.router.path))
        with store.write() as connection:
            roles.promote(connection, version, reason="the router of the settings")


def _refuse_strangers(version: str, known: Sequence[str], settings: Settings) -> None:
    """Refuse a router with which every prompt would go to the default model."""
    here = [model.name for model in settings.models]
    if known and here and not set(known) & set(here):
        raise UsageError(
            f"{version} chooses among {', '.join(known)}, and none of them is here: "
            f"[[models]] has {', '.join(here)}. Train on labels of your models, or add its models"
        )


def _current(store: Store, settings: Settings) -> str | None:
    """Return the version that routes now; None where none does."""
    with store.read() as connection:
        champion = roles.read(connection).champion
    if champion is None and settings.router.path is not None:
        return Router.load(settings.router.path).version
    return champion


def _refuse_unless_better(found: versions.Version, *, current: str | None) -> None:
    comparison = found.figures.get("comparison")
    if not comparison and found.source == SOURCE_OF_STORE_LABELS:
        raise UsageError(
            f"{found.version} was not compared: all prompts that its training held out are prompts that "
            f"the champion knows. {NEW_PROMPTS}; or promote it without --if-better"
        )
    if not comparison:
        raise UsageError(
            f"nothing compares {found.version} with what routes now: `waybill train --from-store` does, on "
            "labels of the store; what `waybill evaluate` finds on a file does not count here. If that is "
            "enough for you, promote it without --if-better"
        )
    before = comparison.get("champion")
    if current is not None and before != current:
        other = f"version {before}" if before else f"always {comparison.get('best_single')}"
        raise UsageError(
            f"{found.version} was compared with {other}, but {current} routes now: "
            "`waybill train --from-store` compares with that"
        )
    gain, error, prompts = comparison["gain"], comparison["standard_error"], comparison["prompts"]
    gained = f"it gained {gain:+.4f} ± {error:.4f} on {prompts} held-out prompts"
    if prompts < MIN_PROMPTS:
        raise UsageError(
            f"{found.version} may not be better: {gained}, and at least {MIN_PROMPTS} are needed: "
            f"label about {5 * MIN_PROMPTS} prompts (`waybill collect`, `waybill judge`), "
            "a fifth of which is held out"
        )
    if not gain > SIGMAS * error:
        raise UsageError(
            f"{found.version} is not better for sure: {gained}, less than {SIGMAS:g} standard errors; "
            "more labels tell more, and without --if-better it is promoted as it is"
        )


def _refuse_other_embedder(stored: list[versions.Version], found: versions.Version) -> None:
    """Raise UsageError unless the champion and the found version use one embedding model."""
    fingerprints = {
        one.figures["embedder"]["fingerprint"]
        for one in stored
        if one.role == roles.CHAMPION or one.version == found.version
    }
    if len(fingerprints) > 1:
        raise UsageError(
            f"{found.version} uses another embedding model than the champion: it cannot share its requests;"
            " promote it whole"
        )


def _version_record(router: Router) -> dict[str, Any]:
    """Return what the store keeps of a router beside its files."""
    manifest = router.manifest()
    return {
        "models": list(router.models),
        "best_single": router.best_single,
        "embedder": manifest["embedder"],
        "prompts": router.training.get("prompts"),
        "settings": manifest["settings"],
        "shift": router.training.get("shift"),
    }
