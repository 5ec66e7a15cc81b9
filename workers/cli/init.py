"""`waybill init`: the first settings file, by asking or from what the environment holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.amounts import budget_option
from workers.cli.output import info, write

if TYPE_CHECKING:
    from workers.first_settings.providers import KnownModel

#: dollars that a batch may cost which names no budget
_BUDGET = 5.0


def init(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PATH", help="The file to write.")] = Path(
        "waybill.toml"
    ),
    models: Annotated[
        str | None,
        typer.Option(metavar="MODEL,…", help="LiteLLM's model strings, such as openai/gpt-4o-mini."),
    ] = None,
    budget: Annotated[
        float | None,
        budget_option(f"Cap of a batch that names no budget, in dollars. Default: {_BUDGET:g}."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a commented waybill.toml: models for the keys in the environment, and a budget."""
    from workers.first_settings.text import first_settings

    if output.exists() and not force:
        raise typer.BadParameter("it is there; --force replaces it", param_hint=str(output))
    chosen = _named(models) if models else _chosen(_found(), ask=not yes)
    cap = _cap(budget, ask=not yes)
    output.write_text(first_settings(chosen, budget=cap), encoding="utf-8")
    info(_next_steps(output))
    write(str(output))


def _next_steps(output: Path) -> str:
    from tasks.errors import SettingsError
    from tasks.settings import load_settings

    try:
        # None at a team's store, which the environment may name.
        command = load_settings(output).stack_command
    except SettingsError:  # in the environment; the doctor says so
        command = ""
    return "`waybill doctor` checks it" + (f"; {command} starts Waybill" if command else "")


def _named(names: str) -> list[KnownModel]:
    from workers.first_settings.providers import model_named, without_price

    wanted = dict.fromkeys(name.strip() for name in names.split(",") if name.strip())
    if not wanted:
        raise typer.BadParameter("it names no model", param_hint="--models")
    named = [model_named(name) for name in wanted]
    for model in without_price(named):
        info(f"warning: no price of {model} is known: check its name, or set input_price and output_price")
    return named


def _found() -> list[KnownModel]:
    from tasks.errors import SettingsError
    from workers.first_settings.providers import MODELS, found_keys, models_of

    found = found_keys(os.environ)
    if not found:
        raise SettingsError(
            f"no provider's key is in the environment ({', '.join(MODELS)}): set one, or name --models; "
            "`waybill up --simulate` needs neither key nor settings"
        )
    info(f"keys found: {', '.join(found)}")
    return models_of(found)


def _chosen(found: list[KnownModel], *, ask: bool) -> list[KnownModel]:
    """Return the models that are wanted, all of them if none is."""
    if not ask:
        return found
    wanted = [one for one in found if typer.confirm(f"Use {one.litellm}?", default=True, err=True)]
    return wanted or found


def _cap(budget: float | None, *, ask: bool) -> float | None:
    from tasks.money.budgets import required_budget

    if budget is None and ask:
        text = "Dollars that a batch may cost which names no budget"
        budget = typer.prompt(text, default=_BUDGET, type=float, err=True)
    cap = _BUDGET if budget is None else budget
    required_budget(cap)
    return cap
