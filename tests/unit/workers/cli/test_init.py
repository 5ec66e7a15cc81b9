"""`waybill init`, and the completion of the shell: the command as a process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.settings import load_settings
from tests.support.paths import REPOSITORY
from workers.first_settings.providers import MODELS, KnownModel, found_keys, model_named, models_of
from workers.first_settings.text import first_settings

KEY = "sk-a-secret"


def run(*arguments: str, cwd: Path, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return subprocess.run(
        [sys.executable, "-m", "workers.cli", *arguments],
        cwd=cwd,
        env={**kept, "PYTHONPATH": str(REPOSITORY), **environment},
        input=given,
        capture_output=True,
        text=True,
    )


def test_the_models_of_the_keys_in_the_environment_are_written_and_the_doctor_is_content(
    tmp_path: Path,
) -> None:
    keys = {"OPENAI_API_KEY": KEY, "GEMINI_API_KEY": KEY, "ANTHROPIC_API_KEY": " "}
    made = run("init", "--yes", cwd=tmp_path, **keys)
    assert made.returncode == 0, made.stderr
    assert made.stdout == "waybill.toml\n"
    assert "keys found: OPENAI_API_KEY, GEMINI_API_KEY\n" in made.stderr
    text = (tmp_path / "waybill.toml").read_text("utf-8")
    assert KEY not in text + made.stdout + made.stderr
    settings = load_settings(tmp_path / "waybill.toml")
    assert {model.api_key_env for model in settings.models} == {"OPENAI_API_KEY", "GEMINI_API_KEY"}
    assert settings.budget == 5
    checked = run("doctor", cwd=tmp_path, **keys)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_stack_of_ones_own_is_advised_only_where_no_store_of_a_team_is_named(tmp_path: Path) -> None:
    alone = run("init", "--yes", cwd=tmp_path, OPENAI_API_KEY=KEY)
    assert "`waybill doctor` checks it; `waybill up` starts Waybill\n" in alone.stderr
    team = {"OPENAI_API_KEY": KEY, "WAYBILL_STORE__URL": "postgresql://team:x@127.0.0.1/waybill"}
    made = run("init", "--yes", "--force", cwd=tmp_path, **team)
    assert made.returncode == 0, made.stderr
    assert "`waybill doctor` checks it\n" in made.stderr
    assert "waybill up" not in made.stderr


def test_a_bad_value_in_the_environment_is_left_to_the_doctor(tmp_path: Path) -> None:
    made = run("init", "--yes", cwd=tmp_path, OPENAI_API_KEY=KEY, WAYBILL_API__PORT="x")
    assert made.returncode == 0, made.stderr
    assert made.stdout == "waybill.toml\n"
    assert "`waybill doctor` checks it\n" in made.stderr


def test_it_asks_for_each_model_and_for_the_budget(tmp_path: Path) -> None:
    made = run("init", cwd=tmp_path, given="n\ny\n2.50\n", OPENAI_API_KEY=KEY)
    assert made.returncode == 0, made.stderr
    assert "Use openai/gpt-5.6-luna?" in made.stderr
    settings = load_settings(tmp_path / "waybill.toml")
    assert [model.name for model in settings.models] == ["gpt-5.6-terra"]
    assert settings.budget == 2.5


def test_a_file_that_is_there_is_kept_without_force(tmp_path: Path) -> None:
    file = tmp_path / "waybill.toml"
    file.write_text("mine")
    refused = run("init", "--yes", cwd=tmp_path, OPENAI_API_KEY=KEY)
    assert (refused.returncode, file.read_text()) == (2, "mine")
    assert "--force" in refused.stderr
    assert "waybill.toml" in refused.stderr
    assert "--output" not in refused.stderr
    assert run("init", "--yes", "--force", cwd=tmp_path, OPENAI_API_KEY=KEY).returncode == 0
    assert file.read_text() != "mine"


def test_without_a_key_it_says_what_to_do_and_writes_nothing(tmp_path: Path) -> None:
    refused = run("init", "--yes", cwd=tmp_path)
    assert refused.returncode == 1
    assert "OPENAI_API_KEY" in refused.stderr
    assert "waybill up --simulate" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_models_that_are_named_need_no_key_here(tmp_path: Path) -> None:
    named = run("init", "-y", "--models", "openai/gpt-4o-mini, groq/llama-x", "--budget", "1", cwd=tmp_path)
    assert named.returncode == 0, named.stderr
    models = load_settings(tmp_path / "waybill.toml").models
    assert [(model.name, model.api_key_env) for model in models] == [
        ("gpt-4o-mini", "OPENAI_API_KEY"),
        ("llama-x", "GROQ_API_KEY"),
    ]


@pytest.mark.parametrize("budget", ["0", "-1", "nan"])
def test_a_budget_of_nothing_is_refused(budget: str, tmp_path: Path) -> None:
    refused = run("init", "--yes", "--budget", budget, cwd=tmp_path, OPENAI_API_KEY=KEY)
    assert refused.returncode == 2
    assert "a budget is more than 0" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_model_that_is_offered_has_a_price_and_a_name_of_its_own(tmp_path: Path) -> None:
    offered = models_of(list(MODELS))
    file = tmp_path / "waybill.toml"
    file.write_text(first_settings(offered, budget=None), encoding="utf-8")
    settings = load_settings(file)
    assert len(settings.models) == len(offered)
    assert [model.name for model in settings.models if model.known_price is None] == []
    assert settings.budget is None


def test_what_is_commented_out_is_right_too(tmp_path: Path) -> None:
    text = first_settings([model_named("openai/gpt-4o-mini")], budget=1)
    file = tmp_path / "waybill.toml"
    file.write_text(re.sub(r"^# (\w+ = |\[)", r"\1", text, flags=re.MULTILINE), encoding="utf-8")
    settings = load_settings(file)
    assert settings.retention.days == 30
    assert settings.judge.models == ("gpt-4o-mini",)
    assert settings.models[0].rpm == 500


def test_empty_variables_are_no_keys() -> None:
    assert found_keys({"OPENAI_API_KEY": "", "XAI_API_KEY": "x", "PATH": "p"}) == ["XAI_API_KEY"]
    assert models_of(["XAI_API_KEY"]) == [KnownModel("xai/grok-4.7", "XAI_API_KEY")]


@pytest.mark.parametrize(
    ("typed", "offered"), [("sub", "submit"), ("keys cr", "create"), ("submit --bud", "--budget")]
)
def test_the_shell_completes_commands_and_options(typed: str, offered: str, tmp_path: Path) -> None:
    words = f"waybill {typed}"
    asked = {
        "_WAYBILL_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    assert offered in run(cwd=tmp_path, **asked).stdout.split()


def test_the_script_for_a_shell_is_printed(tmp_path: Path) -> None:
    shown = run("--show-completion", "bash", cwd=tmp_path, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert "_WAYBILL_COMPLETE=complete_bash" in shown.stdout


@pytest.mark.parametrize(
    ("typed", "advice"),
    [
        ("gpt-4o-mini", "did you mean openai/gpt-4o-mini?"),
        ("claude-haiku-4-5", "did you mean anthropic/claude-haiku-4-5?"),
        ("nothing-like-it", "write PROVIDER/MODEL"),
    ],
)
def test_a_model_without_its_provider_is_refused(typed: str, advice: str, tmp_path: Path) -> None:
    refused = run("init", "-y", "--models", typed, cwd=tmp_path)
    assert refused.returncode == 1
    assert f"'{typed}' names no provider" in refused.stderr
    assert advice in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_which_no_price_is_known_is_written_with_a_warning(tmp_path: Path) -> None:
    made = run("init", "-y", "--models", "openai/gpt-4o-mini,openai/gpt-5o", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "warning: no price of openai/gpt-5o is known" in made.stderr
    assert made.stderr.count("warning") == 1


def test_two_models_of_one_name_are_called_by_their_providers_too_and_none_is_refused(tmp_path: Path) -> None:
    made = run(
        "init", "-y", "--budget", "12345.67", "--models", "openai/m,azure/m,openai/m,b/n", cwd=tmp_path
    )
    assert made.returncode == 0, made.stderr
    settings = load_settings(tmp_path / "waybill.toml")
    assert [model.name for model in settings.models] == ["openai-m", "azure-m", "n"]
    assert settings.budget == 12_345.67
    assert run("init", "-y", "--force", "--models", ",", cwd=tmp_path).returncode == 2


def test_a_model_that_the_host_s_identity_opens_names_no_key(tmp_path: Path) -> None:
    assert run("init", "-y", "--models", "bedrock/amazon.nova-lite-v1:0", cwd=tmp_path).returncode == 0
    [model] = load_settings(tmp_path / "waybill.toml").models
    assert model.api_key_env is None
    assert "names no key" not in run("doctor", cwd=tmp_path).stdout
