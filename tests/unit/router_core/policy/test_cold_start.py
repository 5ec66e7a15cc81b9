"""A model without a label is ranked by its prior, and never first."""

from hypothesis import given
from hypothesis import strategies as st

from router_core.policy.cold_start import insert_cold_start_models

PREDICTED = {"best": 0.8, "middle": 0.5, "worst": 0.2}
RANKING = ("best", "middle", "worst", "new", "unheard")


def test_a_model_without_labels_is_ranked_before_those_of_lower_prediction() -> None:
    assert insert_cold_start_models(RANKING, PREDICTED, {"new": 0.6}) == (
        "best",
        "new",
        "middle",
        "worst",
        "unheard",
    )
    assert insert_cold_start_models(RANKING, PREDICTED, {"new": 0.1}) == (
        "best",
        "middle",
        "worst",
        "new",
        "unheard",
    )


def test_a_model_without_labels_is_never_first_whatever_its_prior() -> None:
    assert insert_cold_start_models(RANKING, PREDICTED, {"new": 99.0})[0] == "best"


def test_without_predictions_priors_change_nothing() -> None:
    assert insert_cold_start_models(("a", "b"), {}, {"b": 1.0}) == ("a", "b")


@given(
    st.permutations(RANKING),
    st.dictionaries(st.sampled_from(RANKING), st.floats(0, 1)),
    st.dictionaries(st.sampled_from(RANKING), st.floats(-1, 2)),
)
def test_every_model_stays_once_and_the_first_stays_first(ranking, predicted, priors) -> None:
    result = insert_cold_start_models(ranking, predicted, priors)
    assert sorted(result) == sorted(ranking)
    assert result[0] == ranking[0]
    known = [model for model in ranking if model in predicted]
    assert [model for model in result if model in predicted] == known
