"""Directives: a prompt can set the outcome of its own call, so that a fault test needs no set-up.

`[[sim:WORD …]]` in the last user message, where each WORD is one of

- a failure's name (`hang`, `reset`, `html`, …, see faults.py) or `status=500`: the call fails in this way;
- `times=2`: only the first two calls of this prompt fail; without it every call fails;
- `model=sim-nano`: only calls of that model fail;
- `latency=3000`: the call takes that many milliseconds (before `latency_scale`).
"""

import re
from dataclasses import dataclass, replace

from workers.simulator.errors import bad_request
from workers.simulator.faults import Fault
from workers.simulator.http_errors import fault_of_status

_DIRECTIVE = re.compile(r"\[\[sim:([^\]]*)\]\]")


@dataclass(frozen=True)
class Directive:
    """The outcome that a prompt sets for its call; by default it sets none."""

    fault: Fault | None = None
    times: int | None = None
    model: str | None = None
    latency_ms: float | None = None

    def fault_for(self, model: str, attempt: int) -> Fault | None:
        """Return the failure of a model's attempt at the prompt (1 is the first), or None."""
        used_up = self.times is not None and attempt > self.times
        other_model = self.model is not None and self.model != model
        return None if used_up or other_model else self.fault


def parse_directive(text: str) -> Directive:
    """Return the directive in a prompt; raises RefusedError for an unknown word."""
    match = _DIRECTIVE.search(text)
    directive = Directive()
    for word in match.group(1).split() if match else ():
        directive = _apply(directive, word)
    return directive


def without_directive(text: str) -> str:
    """Return the prompt without its directive, as a model would get it."""
    return _DIRECTIVE.sub("", text)


def _apply(directive: Directive, word: str) -> Directive:
    name, _, value = word.partition("=")
    try:
        match name:
            case "status":
                return replace(directive, fault=_fault_of(value))
            case "times":
                return replace(directive, times=int(value))
            case "model":
                return replace(directive, model=value)
            case "latency":
                return replace(directive, latency_ms=float(value))
            case _:
                return replace(directive, fault=Fault(word))
    except ValueError:
        raise bad_request(f"the simulator has no directive {word!r}") from None


def _fault_of(status: str) -> Fault:
    fault = fault_of_status(int(status))
    if fault is None:
        raise ValueError(status)
    return fault
