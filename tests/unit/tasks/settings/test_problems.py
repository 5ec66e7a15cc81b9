"""What is wrong in the settings is said with the model or table, the key and the fix; no value is quoted."""

from pathlib import Path

import pytest

from tasks.errors import SettingsError
from tasks.settings import load_settings
from tests.support.one_model import MODEL


def _problem(text: str) -> str:
    Path("waybill.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            MODEL + 'api_key = "sk-secret"\n',
            "model 'small': no key 'api_key'; did you mean api_key_env? "
            "Keys stay in the environment: api_key_env names the variable",
        ),
        (
            MODEL + "[[models]]\nlitellm = 'openai/b'\nrmp = 3\n",
            "model number 2: no key 'rmp'; did you mean rpm?",
        ),
        (MODEL + "rpm = 0\n", "model 'small': rpm: should be greater than 0"),
        (MODEL + "capabilities = {videos = true}\n", "model 'small', capabilities: no key 'videos'"),
        (MODEL + MODEL, "two models have the same name"),
        ("[[models]]\nname = 'a'\n", "model 'a': litellm is missing: it is LiteLLM's name of the model"),
        ("modles = 1\n", "no key 'modles'; did you mean models?"),
        ("[store]\nuri = 'x'\n", "[store] no key 'uri'; did you mean url?"),
        ("[router]\npolicy = 'savings'\n", "[router] policy: should be 'quality', 'saving'"),
        ("[flower]\nzzz = 1\n", "[flower] no key 'zzz'; there are address, "),
        ("models = [3]\n", "model number 1: should be"),
        ("store = 3\n", "store: should be"),
    ],
)
def test_a_problem_is_a_sentence_with_place_key_and_fix(text: str, says: str) -> None:
    found = _problem(text)
    assert found.startswith("waybill.toml: ")
    assert says in found
    assert "sk-secret" not in found


@pytest.mark.parametrize(
    ("variable", "says"),
    [
        ("WAYBILL_DISPATCH__IN_FLIGHT", "$WAYBILL_DISPATCH__IN_FLIGHT: [dispatch] in_flight: should be"),
        ("WAYBILL_STORE__URI", "$WAYBILL_STORE__URI: [store] no key 'uri'; did you mean url?"),
    ],
)
def test_what_the_environment_sets_is_not_looked_for_in_the_file(
    variable: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "s3cret")
    found = _problem("[dispatch]\ngroup_size = 5\n")
    assert says in found
    assert "s3cret" not in found
