"""What must hold of every choice, whatever the scores and prices."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from router_core.policy.choice import choose
from router_core.policy.preferences import POLICIES, RoutingPreferences

N, M = 4, 5
# No fill: every element is drawn, else most arrays hold one value over and over.
scores = arrays(np.float64, (N, M), elements=st.floats(0, 1, width=16), fill=st.nothing())
prices = arrays(np.float64, M, elements=st.floats(0.25, 9, width=16), fill=st.nothing())
policies = st.sampled_from(POLICIES)
rowwise = st.sampled_from([policy for policy in POLICIES if policy != "budget"])
models = st.integers(0, M - 1)
margins = st.sampled_from([None, 0.0, 0.05])
preferences = st.builds(
    RoutingPreferences,
    policy=policies,
    quality_floor=st.sampled_from([0.0, 0.1]),
    cost_weight=st.sampled_from([0.0, 0.05, 0.3]),
    budget=st.sampled_from([500.0, 2000.0, 9000.0]),
)


def chosen(predicted, price, preferences, *, best_single=0, margin=0.0, score_range=1.0):
    return choose(
        predicted,
        costs=np.tile(price, (len(predicted), 1)),
        best_single=best_single,
        decided_pairwise=np.zeros(len(predicted), dtype=bool),
        preferences=preferences,
        margin=margin,
        score_range=score_range,
    )


@given(scores, prices, preferences, margins)
def test_a_ranking_holds_every_model_once_and_starts_with_the_choice(predicted, price, preferences, margin):
    result = chosen(predicted, price, preferences, margin=margin)
    assert (np.sort(result.ranking, axis=1) == np.arange(M)).all()
    assert (result.ranking[:, 0] == result.choice).all()


@given(scores, prices, rowwise, models, margins, st.sampled_from([0.5, 20.0]))
def test_raising_a_models_price_never_makes_it_chosen(predicted, price, policy, model, margin, more):
    if policy == "weighted" and model == 0:
        model = 1  # the other prices are relative to that of the best single model
    preferences = RoutingPreferences(policy=policy, cost_weight=0.1)
    before = chosen(predicted, price, preferences, margin=margin).choice
    after = chosen(predicted, price + more * np.eye(M)[model], preferences, margin=margin).choice
    assert not ((after == model) & (before != model)).any()


@given(prices, policies)
def test_at_equal_scores_the_cheapest_model_is_chosen(price, policy):
    preferences = RoutingPreferences(policy=policy, cost_weight=0.1, budget=2000.0)
    choice = chosen(np.full((N, M), 0.5), price, preferences).choice
    assert policy == "cargo" or (price[choice] == price.min()).all()


@given(scores, prices, models)
def test_saving_never_predicts_below_the_best_single_model(predicted, price, best):
    choice = chosen(predicted, price, RoutingPreferences(policy="saving"), best_single=best).choice
    assert (predicted[np.arange(N), choice] >= predicted[:, best] - 1e-6).all()


@given(scores, prices, st.sampled_from([100.0, 1000.0, 2500.0, 5000.0]))
def test_a_budget_is_kept_unless_the_cheapest_models_exceed_it(predicted, price, budget):
    choice = chosen(predicted, price, RoutingPreferences(policy="budget", budget=budget)).choice
    assert price[choice].mean() <= max(budget / 1000, price.min()) + 1e-9


@given(scores, prices, st.floats(0.5, 8), st.floats(0.5, 8))
def test_a_larger_budget_never_predicts_less(predicted, price, one, other):
    small, large = sorted((one * 1000, other * 1000))
    sums = [
        predicted[
            np.arange(N), chosen(predicted, price, RoutingPreferences(policy="budget", budget=limit)).choice
        ].sum()
        for limit in (small, large)
    ]
    assert sums[1] >= sums[0] - 1e-6 * N


@given(scores, prices, st.sampled_from([("quality", 0.0), ("weighted", 0.0), ("saving", 0.0)]))
def test_without_significant_deviations_the_best_single_model_is_chosen(predicted, price, preferences):
    policy, weight = preferences
    price[0] = price.min() / 2  # else saving takes what is as good and cheaper
    preferences = RoutingPreferences(policy=policy, cost_weight=weight)
    assert (chosen(predicted, price, preferences, margin=None).choice == 0).all()


@given(scores, prices, st.sampled_from([0.02, 0.1, 0.5, 2.0]))
def test_without_significant_deviations_a_trade_loses_no_more_than_its_saving_is_worth(
    predicted, price, weight
):
    choice = chosen(
        predicted, price, RoutingPreferences(policy="weighted", cost_weight=weight), margin=None
    ).choice
    lost = predicted[:, 0] - predicted[np.arange(N), choice]
    saved = (price[0] - price[choice]) / price[0]
    assert (np.maximum(lost, 0) <= weight * saved + 1e-9).all()
    assert (saved[choice != 0] > 0).all()


@given(scores, prices)
def test_without_significant_deviations_an_ample_budget_buys_the_best_single_model(predicted, price):
    preferences = RoutingPreferences(policy="budget", budget=1000 * float(price.max()) + 1)
    assert (chosen(predicted, price, preferences, margin=None).choice == 0).all()


@given(scores, prices, preferences, margins, st.permutations(range(M)))
def test_the_order_of_the_models_changes_nothing(predicted, price, preferences, margin, order):
    order = np.array(order)
    # Exact ties are broken by the router, which orders the models by name.
    predicted, price = predicted + 1e-3 * np.arange(M), price + 1e-3 * np.arange(M)
    forward = chosen(predicted, price, preferences, margin=margin).choice
    shuffled = chosen(
        predicted[:, order], price[order], preferences, margin=margin, best_single=int(np.argsort(order)[0])
    ).choice
    np.testing.assert_allclose(predicted[np.arange(N), order[shuffled]], predicted[np.arange(N), forward])


@given(scores, prices, rowwise, margins, st.permutations(range(N)))
def test_the_order_of_the_prompts_changes_nothing(predicted, price, policy, margin, order):
    order, preferences = np.array(order), RoutingPreferences(policy=policy, cost_weight=0.1)
    forward = chosen(predicted, price, preferences, margin=margin)
    shuffled = chosen(predicted[order], price, preferences, margin=margin)
    assert (forward.choice[order] == shuffled.choice).all()
    assert (forward.reason[order] == shuffled.reason).all()


@given(scores, prices, rowwise, models, margins, st.sampled_from([0.5, 200.0]))
def test_adding_a_dominated_model_changes_nothing(predicted, price, policy, model, margin, dearer):
    preferences = RoutingPreferences(policy=policy, cost_weight=0.1)
    worse = np.hstack([predicted, predicted[:, [model]] - 0.25])
    before = chosen(predicted, price, preferences, margin=margin).choice
    after = chosen(worse, np.append(price, price[model] + dearer), preferences, margin=margin).choice
    assert (before == after).all()


@given(scores, prices, rowwise, margins, st.sampled_from([0.25, 8.0, 1024.0]))
def test_scaling_the_scores_changes_no_choice(predicted, price, policy, margin, factor):
    preferences = RoutingPreferences(policy=policy, cost_weight=0.1)
    before = chosen(predicted, price, preferences, margin=margin).choice
    after = chosen(predicted * factor, price, preferences, margin=margin, score_range=factor).choice
    assert (before == after).all()


@given(scores, prices, rowwise, margins, st.sampled_from([0.25, 8.0, 1024.0]))
def test_scaling_the_prices_changes_no_choice(predicted, price, policy, margin, factor):
    preferences = RoutingPreferences(policy=policy, cost_weight=0.1)
    before = chosen(predicted, price, preferences, margin=margin).choice
    assert (before == chosen(predicted, price * factor, preferences, margin=margin).choice).all()
