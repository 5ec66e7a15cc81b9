"""The settings: their sources, their order of precedence and their errors."""

import json
import os
from pathlib import Path

import pytest

from tasks.errors import SettingsError, UsageError
from tasks.settings import STACK_FILE, RouterSettings, Settings, load_settings
from tasks.store.engine import Store
from tests.support.comparisons import assert_fields
from tests.support.one_model import MODEL


def _load(text: str) -> Settings:
    Path("waybill.toml").write_text(text)
    return load_settings()


def test_without_a_file_the_store_is_sqlite_under_the_home() -> None:
    assert load_settings().store_url == f"sqlite:///{Path('.waybill/waybill.db').absolute()}"


def test_the_file_in_the_working_folder_is_read() -> None:
    assert _load(MODEL).model("small").litellm == "openai/small"


def test_the_environment_takes_precedence_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYBILL_STORE__URL", "postgresql://db/waybill")
    assert _load('[store]\nurl = "sqlite:///a.db"\n').store_url == "postgresql://db/waybill"


def test_an_environment_key_leaves_its_neighbours_from_the_file_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WAYBILL_DISPATCH__IN_FLIGHT", "7")
    dispatch = _load("[dispatch]\ngroup_size = 5\n").dispatch
    assert_fields(dispatch, in_flight=7, group_size=5)


def test_an_unknown_key_is_an_error_that_names_file_and_key() -> None:
    with pytest.raises(
        SettingsError, match=r"waybill\.toml: \[dispatch\] no key 'in_fligth'; did you mean in_flight"
    ):
        _load("[dispatch]\nin_fligth = 5\n")


def test_a_bad_value_is_not_quoted() -> None:
    with pytest.raises(SettingsError) as caught:
        _load(MODEL + 'max_concurrency = "sk-secret"\n')
    assert "model 'small': max_concurrency: should be a valid integer" in str(caught.value)
    assert "sk-secret" not in str(caught.value)


def test_malformed_toml_is_an_error_that_names_file_and_line() -> None:
    with pytest.raises(SettingsError, match=r"waybill\.toml: .*line 2"):
        _load("[store]\nurl = \n")


def test_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="same name"):
        _load(MODEL + MODEL)


def test_a_key_is_read_from_the_named_variable_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMALL_KEY", "sk-secret")
    model = _load(MODEL + 'api_key_env = "SMALL_KEY"\n').model("small")
    key = model.api_key()
    assert key is not None
    assert key.get_secret_value() == "sk-secret"
    assert "sk-secret" not in repr(model) + repr(key)


def test_a_running_stack_names_its_redis() -> None:
    _write_stack(os.getpid())
    assert load_settings().redis_url == "redis://127.0.0.1:1/0"


def test_a_dead_stack_is_ignored() -> None:
    _write_stack(2**22 + 1)  # above the kernel's highest pid
    with pytest.raises(SettingsError, match="no Redis"):
        _ = load_settings().redis_url


def _write_stack(pid: int) -> None:
    file = Path(".waybill") / STACK_FILE
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"pid": pid, "settings": {"redis": {"url": "redis://127.0.0.1:1/0"}}}))


def test_the_direct_transport_needs_an_openai_compatible_base() -> None:
    base = 'api_base = "http://127.0.0.1:1/v1"\n'
    assert _load(MODEL + 'transport = "direct"\n' + base).model("small").transport == "direct"
    assert _load(MODEL).model("small").transport == "auto"
    for incomplete in (MODEL, MODEL.replace("openai/small", "anthropic/small") + base):
        with pytest.raises(SettingsError, match='"direct" needs api_base and litellm = "openai/NAME"'):
            _load(incomplete + 'transport = "direct"\n')


def test_a_cost_weight_or_a_budget_selects_the_policy_that_uses_it() -> None:
    router = RouterSettings()
    assert router.with_overrides(cost_weight=0.1).policy == "weighted"
    assert router.with_overrides(budget_per_1000=2.0).policy == "budget"
    assert router.with_overrides(policy="saving", cost_weight=0.1).policy == "saving"
    assert router.with_overrides(tau=0.2, quality_floor=0.1) == RouterSettings(tau=0.2, quality_floor=0.1)


def test_a_budget_policy_without_a_budget_is_refused() -> None:
    with pytest.raises(SettingsError, match="needs budget_per_1000"):
        _load(MODEL + '[router]\npolicy = "budget"\n')
    with pytest.raises(UsageError, match="needs budget_per_1000"):
        RouterSettings().with_overrides(policy="budget")
    assert RouterSettings(budget_per_1000=1.0).with_overrides(policy="budget").budget_per_1000 == 1.0


@pytest.mark.parametrize(
    ("section", "url"),
    [
        ("redis", "localhost:6379"),
        ("redis", "http://:s3cret@localhost"),
        ("redis", "redis://:s3cret@localhost:port/0"),
        ("redis", "redis://:s3cret@localhost:99999/0"),
        ("redis", "sentinel://:s3cret@localhost:26379"),
        ("redis", "redis+sentinel://:s3cret@localhost:26379"),
        ("redis", "redis+sentinel://:s3cret@localhost:26379,/waybill"),
        ("redis", "redis+sentinel://:s3cret@localhost:port,other/waybill"),
        ("redis", "redis+sentinel://:s3cret@localhost/waybill/zero"),
        ("redis", "unix+sentinel://:s3cret@localhost/waybill"),
        ("store", "mysql://u:s3cret@localhost/waybill"),
        ("store", "waybill.db"),
        ("store", ""),
    ],
)
def test_a_url_that_is_none_is_refused_without_its_password(section: str, url: str) -> None:
    with pytest.raises(SettingsError, match=rf"\[{section}\] url: is no URL like") as refused:
        _load(f'[{section}]\nurl = "{url}"\n')
    assert "s3cret" not in str(refused.value)


def test_a_store_url_that_cannot_be_read_is_an_error_of_the_settings() -> None:
    with pytest.raises(SettingsError, match="is no URL like") as refused:
        Store("postgresql://u:s3cret@localhost:port/waybill")
    assert "s3cret" not in str(refused.value)


def test_a_model_that_is_mistyped_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(SettingsError, match=r"no model 'smal' among \[\[models\]\]; did you mean 'small'\?"):
        _load(MODEL).model("smal")
    with pytest.raises(SettingsError, match=r"among \[\[models\]\]$"):
        _load(MODEL).model("another")
