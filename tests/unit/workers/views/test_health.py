"""What holds up a batch, in words."""

from tasks.providers.errors import MissingKeyError
from tasks.store.health.model_errors import ModelError
from workers.views.health import error_text, needs_care


def _error(error: MissingKeyError, calls: int) -> ModelError:
    return ModelError("nope", error.kind.value, calls, 0, 0, 3.0, str(error))


def test_a_missing_key_is_named_and_is_no_failed_call() -> None:
    error = _error(MissingKeyError("NOPE_KEY"), 1)
    said = "nope: 1 call not made: $NOPE_KEY is not set in the dispatch worker's environment, 3 s ago: "
    assert error_text(error) == f"{said}set it there, and start the worker again"
    assert needs_care(error)


def test_a_key_in_place_of_its_variable_is_not_shown() -> None:
    assert "sk-canary" not in str(MissingKeyError("sk-canary-key")) + repr(MissingKeyError("sk-canary-key"))
