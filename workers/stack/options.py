"""Which parts of the local stack run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from workers.worker.run import Role

#: by part: a module that its extra brings, and what is missing without it
_NEEDS = {"flower": ("flower", "Flower"), "api": ("uvicorn", "API and no page")}


@dataclass(frozen=True, kw_only=True)
class StackOptions:
    """The parts of the local stack to run.

    Attributes:
        simulate: Run the provider simulator, and use its models instead of those of the settings.
        flaky: Share of the simulator's calls that fail; a retry can succeed.
        workers: Number of workers by role.
        api: Serve OpenAI's Batch API.
        router: Directory of a router that replaces the settings' one. It may be written later than the
            stack's start, but before the first batch.
    """

    simulate: bool = False
    flaky: float = 0.0
    flower: bool = True
    api: bool = False
    workers: Mapping[Role, int] = field(
        default_factory=lambda: {Role.EMBED: 1, Role.ROUTE: 1, Role.JUDGE: 1, Role.DISPATCH: 2}
    )
    router: Path | None = None

    def installed(self, notify: Callable[[str], None]) -> StackOptions:
        """Return the options without the parts whose extra is not installed here, after telling of them."""
        missing = [
            part for part, (module, _) in _NEEDS.items() if getattr(self, part) and find_spec(module) is None
        ]
        for part in missing:
            notify(f"no {_NEEDS[part][1]}: pip install 'waybill[{part}]'")
        return replace(
            self, flower=self.flower and "flower" not in missing, api=self.api and "api" not in missing
        )
