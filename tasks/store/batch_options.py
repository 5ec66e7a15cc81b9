"""The options of a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import NoneType
from typing import Any

from router_core.policy.preferences import Policy
from router_core.pricing import Price
from router_core.pricing.tables import from_json
from tasks.errors import UnreadableOptions
from tasks.formats.determinism import Dedupe, dedupe_of
from tasks.store.priorities import NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """The options of a batch; keys that are missing in a stored row have the defaults here."""

    #: what people call the batch
    name: str | None = None
    #: whether its first ids were given as whole numbers, which data frames of results keep
    integer_ids: bool = False
    models: tuple[str, ...] = ()
    route_only: bool = False
    #: which equal requests are answered by one call; older Waybills stored whether any are
    dedupe: Dedupe = "all"
    #: answers of earlier batches to equal requests are taken if they are at most this old; None: never
    reuse_s: float | None = None
    #: whether answers that were drawn at random (temperature above 0) are taken as well
    reuse_any: bool = False
    #: what each model was, as LiteLLM names it, when the batch was submitted
    deployments: dict[str, str] = field(default_factory=dict)
    #: the routing policy and its numbers; unset, those of the settings and of the training
    policy: Policy | None = None
    quality_floor: float = 0.0
    cost_weight: float | None = None
    budget_per_1000: float | None = None
    #: its share beside other batches when it was submitted: see `tasks.store.priorities`
    priority: str = NORMAL
    #: whether another model may answer where the chosen one cannot
    fallback: bool = True
    #: divides a submission's slices of 2,000 lines
    chunk_size: int = 500
    group_size: int = 64
    #: whether a router's features need vectors (else requests start at the route stage)
    embed: bool = True
    #: the share of routed requests whose model is drawn, and which the other candidates answer as well
    explore: float = 0.0
    #: a run of judges compares every pair of answers, also where the winner is known
    every_pair: bool = False
    #: what becomes of an answer that does not fit what its request demands: off, flag or retry
    validate: str = "off"
    #: the user's own validators of answers: see `tasks.validation.validators`
    validators: tuple[str, ...] = ()
    #: dollars per million tokens of input and output, as known when the batch was submitted; null: unpriced
    prices: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    #: what each model takes and gives (`Capabilities.as_row`), as known when the batch was submitted
    capabilities: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: whether a request goes only to models that take all of its parameters
    strict_params: bool = False
    #: whether nothing is begun before its whole input is stored
    hold: bool = False
    #: prices with more kinds, tiers or steps in full (`router_core.pricing.tables.to_json`): batches of
    #: earlier versions have none, and workers of earlier versions ignore them
    kind_prices: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take a flag for the choice that it stands for."""
        object.__setattr__(self, "dedupe", dedupe_of(self.dedupe))

    @property
    def unpriced(self) -> list[str]:
        """The models whose calls no budget can count."""
        return sorted(name for name, price in self.prices.items() if price is None)

    def price(self, model: str) -> Price | None:
        """Return the price that all calls of the batch to a model are charged at; None where it has none."""
        if (kinds := self.kind_prices.get(model)) is not None:
            return from_json(kinds)
        pair = self.prices.get(model)
        return Price(*pair) if pair else None

    def of_request(self, model: str) -> dict[str, Any]:
        """Return the fields of a `HeldRequest` for this model that the batch's options set."""
        names = ("fallback", "validate", "validators")
        return {"price": self.price(model), **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_row(cls, options: dict[str, Any]) -> BatchOptions:
        """Rebuild from the JSON column; keys that a newer Waybill added are ignored.

        Raises:
            UnreadableOptions: A newer Waybill stored them in another form.
        """
        try:
            known = {name: value for name, value in options.items() if name in cls.__slots__}
            _check_kinds(known)
            tuples = {name: tuple(options.get(name, ())) for name in ("models", "validators")}
            return cls(**{**known, **tuples})
        except (AttributeError, TypeError, ValueError) as error:
            raise UnreadableOptions(f"this Waybill cannot read the options: {type(error).__name__}") from None

    @classmethod
    def readable(cls, options: dict[str, Any]) -> BatchOptions | None:
        """Rebuild them, or return None where `from_row` raises: one of many batches holds up no other."""
        try:
            return cls.from_row(options)
        except UnreadableOptions:
            return None


#: what readers of stored options rely on; `dedupe` is checked where it is taken for a choice
_KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("deployments", "prices", "capabilities", "kind_prices"), dict),
    **dict.fromkeys(("models", "validators"), (list, tuple)),
    **dict.fromkeys(("name", "policy"), (str, NoneType)),
    **dict.fromkeys(("priority", "validate"), str),
    **dict.fromkeys(("chunk_size", "group_size"), int),
    **dict.fromkeys(("quality_floor", "explore"), (int, float)),
    **dict.fromkeys(("reuse_s", "cost_weight", "budget_per_1000"), (int, float, NoneType)),
}


def _check_kinds(known: dict[str, Any]) -> None:
    for name, value in known.items():
        if not isinstance(value, _KINDS.get(name, object)):
            raise TypeError(name)
