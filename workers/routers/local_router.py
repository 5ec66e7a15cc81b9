"""Routing in this process, without a server: the router, its embedder, and the models' prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from tasks.settings import ModelSettings, Settings
from workers.routers.embedders import router_embedder

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from router_core.decisions import Decisions
    from router_core.embedding.cached_embedder import CachedEmbedder
    from router_core.explanation import Explanation
    from router_core.policy.budget_use import BudgetUse
    from router_core.policy.preferences import Policy, Shift
    from router_core.predictors.scored_prompts import ScoredPrompts
    from router_core.router import Router
    from tasks.money.expected_costs import Lengths
    from tasks.submission.estimate_values import LeftOut, RoutedPrompts


@dataclass(frozen=True, kw_only=True)
class LocalRouter:
    """A router that chooses among `models`; prices count only where the settings know them all.

    Policy, `quality_floor`, `cost_weight` and `budget_per_1000` are as in [router] of the settings;
    `tau` None takes the trained one.
    """

    settings: Settings
    router: Router
    models: tuple[str, ...]
    quality_floor: float = 0.0
    policy: Policy = "saving"
    cost_weight: float | None = None
    budget_per_1000: float | None = None
    tau: float | None = None
    shift: Shift = "guard"
    #: takes in what the choices cost under policy `budget`
    spending: BudgetUse | None = None

    @property
    def name(self) -> str:
        """The name that the user sees."""
        return f"router {self.router.version}"

    @property
    def best_single(self) -> str | None:
        """The model that the router's labels call the best for all prompts."""
        return self.router.best_single

    @property
    def weighs_prices(self) -> bool:
        """Whether every model has a price; otherwise quality alone decides."""
        return len(self._priced) == len(self.models)

    @property
    def unpriced(self) -> list[str]:
        """The models without a price."""
        priced = {model.name for model in self._priced}
        return [name for name in self.models if name not in priced]

    def decide(
        self, texts: Sequence[str], left_out: LeftOut = (), lengths: Lengths | None = None
    ) -> Decisions:
        """Choose a model for each prompt; raises ConfigurationError if the embedder is not the router's.

        Args:
            texts: The prompts.
            left_out: The models that cannot answer each prompt; by default none.
            lengths: The lengths of the whole requests; by default those of the prompts.
        """
        return self.choose(self._embedder.encode(texts).vectors, texts, left_out, lengths)

    def predict(self, texts: Sequence[str]) -> ScoredPrompts:
        """Return the router's predictions for each prompt, before any choice."""
        return self.router.predict(self._embedder.encode(texts).vectors, texts)

    def choose(
        self,
        vectors: npt.NDArray[np.float32],
        texts: Sequence[str],
        left_out: LeftOut = (),
        lengths: Lengths | None = None,
    ) -> Decisions:
        """Choose a model for each of n prompts, given their vectors [n, d]; see `decide`."""
        return self._choose(self.router.predict(vectors, texts), texts, left_out, lengths)

    def _choose(
        self, scored: ScoredPrompts, texts: Sequence[str], left_out: LeftOut, lengths: Lengths | None
    ) -> Decisions:
        from router_core.policy.preferences import RoutingPreferences
        from router_core.policy.shift import default_cost_weight
        from tasks.stages.candidates import allowed_models

        trained = default_cost_weight(self.router.hyperparameters, self.shift)
        preferences = RoutingPreferences(
            policy=self.policy,
            quality_floor=self.quality_floor,
            cost_weight=trained if self.cost_weight is None else self.cost_weight,
            budget=self.budget_per_1000,
        )
        costs, allowed = self._costs(scored, texts, lengths), allowed_models(left_out, self.models)
        decisions = self.router.decide(
            scored,
            models=self.models,
            costs=costs,
            preferences=preferences,
            tau=self.tau,
            shift=self.shift,
            allowed=allowed,
        )
        if self.spending is not None:
            self.spending.add(decisions.choice, costs, allowed)
        return decisions

    def _costs(
        self, scored: ScoredPrompts, texts: Sequence[str], lengths: Lengths | None = None
    ) -> npt.NDArray[np.float64]:
        """Return the expected cost of each prompt on each model [n, m], all 0 where prices do not count."""
        import numpy as np

        from router_core.predictors.answer_tokens import expected_answers
        from tasks.money.expected_costs import Lengths, costs_of

        if not self.weighs_prices:
            return np.zeros((len(texts), len(self.models)))
        answers = expected_answers(self.router, scored, self.models)
        tokens = answers.or_else([model.expected_tokens for model in self._priced])
        prices = [model.price for model in self._priced]
        unlimited = [np.inf] * len(texts)
        return costs_of(lengths or Lengths([len(text) for text in texts], unlimited), prices, tokens)

    def explain(
        self, texts: Sequence[str], decisions: Decisions, lengths: Lengths | None = None
    ) -> list[Explanation]:
        """Return the explanation of each decision that `decide` made on these texts."""
        from router_core.explanation import explain

        return explain(
            self.router,
            decisions,
            self._embedder.encode(texts).vectors,
            texts,
            policy=self.policy,
            costs=self._costs(self.predict(texts), texts, lengths) if self.weighs_prices else None,
            tau=self.tau,
            shift=self.shift,
        )

    def models_for(
        self, texts: Sequence[str], left_out: LeftOut = (), lengths: Lengths | None = None
    ) -> RoutedPrompts:
        """Return the name of the model chosen for each prompt, and how many are unlike the labels."""
        from router_core.monitoring.familiarity import Familiarity
        from router_core.predictors.answer_tokens import expected_answers
        from tasks.submission.estimate_values import RoutedPrompts

        scored = self.predict(texts)
        decisions = self._choose(scored, texts, left_out, lengths)
        answers = expected_answers(self.router, scored, self.models) if self.router.answer_tokens else None
        familiarity = Familiarity.of(decisions.novelty)
        chosen = [decisions.model(row) for row in range(len(decisions))]
        return RoutedPrompts(chosen, familiarity, self.models, answers, self._scores(decisions))

    @property
    def policy_text(self) -> str:
        """The policy with its number, as people see it."""
        from router_core.policy.shift import default_cost_weight

        trained = default_cost_weight(self.router.hyperparameters, self.shift)
        weight = trained if self.cost_weight is None else self.cost_weight
        numbers = {
            "saving": f" (quality floor {self.quality_floor:g})" if self.quality_floor else "",
            "weighted": f" (cost weight {weight:.3g})",
            "budget": f" (${self.budget_per_1000 or 0:.4g} per 1,000 prompts)",
        }
        return self.policy + numbers.get(self.policy, "")

    def _scores(self, decisions: Decisions) -> npt.NDArray[np.float32] | None:
        """Return the predicted scores [n, 2] of the chosen models and of the best single one."""
        import numpy as np

        if self.best_single not in self.models:
            return None
        single = decisions.predicted[:, self.models.index(self.best_single)]
        return np.stack([decisions.predicted[np.arange(len(decisions)), decisions.choice], single], axis=1)

    @cached_property
    def _priced(self) -> list[ModelSettings]:
        known = {model.name: model for model in self.settings.models}
        return [known[name] for name in self.models if name in known and known[name].known_price]

    @cached_property
    def _embedder(self) -> CachedEmbedder:
        return router_embedder(self.settings, self.router.embedder)


def with_spending(router: LocalRouter) -> LocalRouter:
    """Return the router with an account of what its choices cost, if they are to keep a budget."""
    from router_core.policy.budget_use import BudgetUse

    if router.policy != "budget" or router.budget_per_1000 is None:
        return router
    counting = replace(router, spending=BudgetUse(router.budget_per_1000))
    if "_embedder" in vars(router):  # loaded already, which takes seconds
        vars(counting)["_embedder"] = vars(router)["_embedder"]
    return counting


def local_router(settings: Settings, router: Router, models: Sequence[str]) -> LocalRouter:
    """Return a router that chooses among these models with the preferences of [router] in the settings."""
    return LocalRouter(
        settings=settings,
        router=router,
        models=tuple(models),
        quality_floor=settings.router.quality_floor,
        policy=settings.router.policy,
        cost_weight=settings.router.cost_weight,
        budget_per_1000=settings.router.budget_per_1000,
        tau=settings.router.tau,
        shift=settings.router.shift,
    )
