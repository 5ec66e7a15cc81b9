"""Putting routers into the store, and deciding which of them routes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from router_core.artefact import artefact_files
from router_core.router import Router
from tasks.errors import UsageError
from tasks.settings import Settings
from tasks.store.engine import Store
from tasks.store.routers import roles, versions

#: a challenger's gain over the champion must pass this many standard errors to count as better
SIGMAS = 1.0


def register(store: Store, path: Path, *, source: str, comparison: Mapping[str, Any] | None = None) -> str:
    """Put the router in a directory into the store and return its version; one that is there stays as it is.

    comparison: what it gained over the champion on prompts that neither was trained on. Raises ArtefactError.
    """
    router = Router.load(path)
    files = artefact_files(path)
    figures = {**_version_record(router), "comparison": dict(comparison) if comparison else None}
    with store.write() as connection:
        versions.register(connection, router.version, files, source=source, figures=figures)
    return router.version


def resolve(store: Store, name: str) -> str:
    """Return the stored version that `name` means: its first digits, or a router's directory, which is then stored.

    Raises UsageError or ArtefactError.
    """
    if Path(name).is_dir():
        return register(store, Path(name), source=str(Path(name).absolute()))
    with store.read() as connection:
        return versions.find(connection, name).version


def promote(
    store: Store, settings: Settings, version: str, *, if_better: bool = False, canary: float | None = None
) -> None:
    """Make a stored version the champion, or the canary for a share of the requests.

    Raises:
        UsageError: if_better, and no comparison shows a gain; a canary that has no champion beside it, or
            whose vectors are not the champion's.
    """
    with store.read() as connection:
        found = versions.find(connection, version)
    if if_better:
        _refuse_unless_better(found)
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
    """Make the settings' router the champion where there is none: a canary needs one beside it."""
    with store.read() as connection:
        champion = roles.read(connection).champion
    if champion is None and settings.router.path is not None:
        version = register(store, settings.router.path, source=str(settings.router.path))
        with store.write() as connection:
            roles.promote(connection, version, reason="the router of the settings")


def _refuse_unless_better(found: versions.Version) -> None:
    comparison = found.figures.get("comparison")
    if not comparison:
        raise UsageError(
            f"nothing compares {found.version} with the champion: `waybill train --from-store` does"
        )
    gain, error = comparison["gain"], comparison["standard_error"]
    if not gain > SIGMAS * error:
        raise UsageError(f"{found.version} is not better: it gained {gain:+.4f} ± {error:.4f}")


def _refuse_other_embedder(stored: list[versions.Version], found: versions.Version) -> None:
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
    manifest = router.manifest()
    return {
        "models": list(router.models),
        "best_single": router.best_single,
        "embedder": manifest["embedder"],
        "prompts": router.training.get("prompts"),
        "settings": manifest["settings"],
    }
