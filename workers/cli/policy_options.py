"""The options that choose a routing policy and its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from router_core.policy.preferences import Policy

#: the policies, in a help text
POLICY_NAMES = "saving, quality, weighted, budget or cargo"

QualityFloor = Annotated[
    float | None, typer.Option(min=0, metavar="X", help="How much predicted quality a saving may cost.")
]
CostWeight = Annotated[
    float | None,
    typer.Option(
        min=0, metavar="X", help="Policy weighted: the share of the scores' range that cost may outweigh."
    ),
]
BudgetPer1000 = Annotated[
    float | None,
    typer.Option(min=0, metavar="USD", help="Policy budget: dollars to spend on a thousand prompts."),
]


def parse_policy(name: str | None) -> Policy | None:
    """Return the policy of a name, None for None; raises BadParameter for an unknown name."""
    from router_core.policy.preferences import POLICIES

    if name not in (None, *POLICIES):
        raise typer.BadParameter(f"{name!r} is none of {', '.join(POLICIES)}", param_hint="--policy")
    return name
