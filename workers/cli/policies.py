"""The name of a routing policy, as given on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from router_core.wish import Policy


def policy_named(name: str | None) -> Policy | None:
    """The policy of this name, None for none; a wrong name is a usage error."""
    from router_core.wish import POLICIES

    if name not in (None, *POLICIES):
        raise typer.BadParameter(f"{name!r} is none of {', '.join(POLICIES)}", param_hint="--policy")
    return name
