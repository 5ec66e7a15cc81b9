"""Help that fits 80 columns: Typer gives each kind of word a column, so each is kept short."""

from __future__ import annotations

from typing import Any

from typer import Typer
from typer.core import TyperCommand, TyperOption


class Command(TyperCommand):
    """A command whose help leaves most of the line to what its options mean."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help; a switch shows no type, and of two names the one that changes something."""
        for option in self.params:
            if isinstance(option, TyperOption) and option.is_flag:
                _shorten(option)
        super().format_help(ctx, formatter)


def _shorten(switch: TyperOption) -> None:
    # None of these says more than the name that is left.
    switch.metavar, switch.show_default = "", False
    switch.opts, switch.secondary_opts = changing_names(switch), []


def changing_names(option: TyperOption) -> list[str]:
    """Return the names of an option; of a switch that is on those that turn it off."""
    return option.secondary_opts if option.secondary_opts and option.default else option.opts


class Commands(Typer):
    """Commands whose help is that of `Command`."""

    def command(self, name: str | None = None, **options: Any) -> Any:
        """Return a decorator that makes a function a command."""
        return super().command(name, cls=Command, **options)
