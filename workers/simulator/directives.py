"""Directives: a prompt can set the outcome of its own call, so that a fault test needs no set-up.

`[[sim:WORD …]]` in the last user message, where each WORD is one of

- a failure's name (`hang`, `reset`, `html`, …, see faults.py) or `status=500`: the call fails in this way;
- a shape's name (`refusal`, `tool_call`, `float_usage`, …, see shapes.py): the answer has this shape;
- `times=2`: only the first two calls of this prompt do so; without it every call does;
- `model=sim-nano`: only calls of that model do;
- `reasoning=50`: the model reasons for that many tokens before it answers;
- `latency=3000`: the call takes that many milliseconds (before `latency_scale`);
- `hold=NAME`: the answer waits until the test lets it go (see holds.py).
"""

import re
from dataclasses import dataclass, replace

from workers.simulator.errors import bad_request
from workers.simulator.faults import Fault
from workers.simulator.http_errors import fault_of_status
from workers.simulator.shapes import Shape

_SHAPES = frozenset(Shape)
_DIRECTIVE = re.compile(r"\[\[sim:([^\]]*)\]\]")


@dataclass(frozen=True)
class Directive:
    """The outcome that a prompt sets for its call; by default it sets none."""

    fault: Fault | None = None
    times: int | None = None
    model: str | None = None
    latency_ms: float | None = None
    hold: str | None = None
    shape: Shape | None = None
    reasoning: int = 0

    def fault_for(self, model: str, attempt: int) -> Fault | None:
        """Return the failure of a model's attempt at the prompt (1 is the first), or None."""
        return self.fault if self._holds_for(model, attempt) else None

    def shape_for(self, model: str, attempt: int) -> Shape | None:
        """Return the shape of a model's answer to this attempt, or None."""
        return self.shape if self._holds_for(model, attempt) else None

    def hold_for(self, model: str, attempt: int) -> str | None:
        """Return the name at which a model's answer to this attempt waits, or None."""
        return self.hold if self._holds_for(model, attempt) else None

    def _holds_for(self, model: str, attempt: int) -> bool:
        used_up = self.times is not None and attempt > self.times
        other_model = self.model is not None and self.model != model
        return not used_up and not other_model


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
            case "hold" if value:
                return replace(directive, hold=value)
            case "reasoning":
                return replace(directive, reasoning=int(value))
            case _ if word in _SHAPES:
                return replace(directive, shape=Shape(word))
            case _:
                return replace(directive, fault=Fault(word))
    except ValueError:
        raise bad_request(f"the simulator has no directive {word!r}") from None


def _fault_of(status: str) -> Fault:
    fault = fault_of_status(int(status))
    if fault is None:
        raise ValueError(status)
    return fault
