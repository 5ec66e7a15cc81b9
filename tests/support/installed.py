"""Which modules an image has: those of the packages that Waybill needs with its extras."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = frozenset({"tasks", "workers", "router_core", "waybill"})


def modules_of(extras: Collection[str], without: Collection[str] = ()) -> frozenset[str]:
    """Return the top-level modules of Waybill with these extras, without some packages' own."""
    found: set[tuple[str, str]] = set()
    waiting = [("waybill", extra) for extra in ("", *extras)]
    while waiting:
        package = waiting.pop()
        if package not in found:
            found.add(package)
            waiting += _needs(*package)
    names = {name for name, _ in found} - set(without)
    modules = packages_distributions()
    return OURS | {one for one, owners in modules.items() if {canonicalize_name(n) for n in owners} & names}


def _needs(name: str, extra: str) -> Iterator[tuple[str, str]]:
    try:
        lines = requires(name) or []
    except PackageNotFoundError:
        return
    for needed in map(Requirement, lines):
        if needed.marker is None or needed.marker.evaluate({"extra": extra}):
            yield from ((canonicalize_name(needed.name), one) for one in ("", *needed.extras))
