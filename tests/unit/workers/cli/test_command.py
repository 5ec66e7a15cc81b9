import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from router_core.errors import LabelsError
from router_core.pricing import micro_usd
from tasks.errors import SettingsError
from tasks.formats.errors import FormatError
from tasks.formats.requests import InputError
from tasks.store.progress import PausedModel, Progress, Rate
from workers.cli.bad_lines import BadLines
from workers.cli.entry_point import error_message
from workers.cli.exit_codes import ExitCode
from workers.cli.watch import exit_code_of
from workers.views.batch_report import progress_to_dict
from workers.views.status import duration, progress_line, usd

DONE = Progress(
    batch_no=1, batch_id="batch_1", source="file", status="completed", route_only=False, total=10, invalid=0,
    duplicates=0, embedded=10, cache_hits=0, routed=10, fallbacks=0, succeeded=10, failed=0, cancelled=0,
    in_flight=0, calls=10, budget=None, spent=2_000_000, reserved=0, budget_stops=0, created_at=0,
    finished_at=5000, elapsed_s=5.0,
)  # fmt: skip


def waybill(*arguments: str, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workers.cli", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, **options)


# Start-up is measured by tests/benchmarks/bench_startup.py; what it depends on is what is imported.
NEVER = {"torch", "transformers", "tokenizers", "litellm", "openai", "faiss", "lightgbm", "scipy", "pandas"}
NEVER |= {"pyarrow", "celery", "kombu", "flower", "aiohttp", "sentence_transformers", "model2vec"}


def imported(*arguments: str, cwd: Path) -> set[str]:
    """The modules that a command has imported when it ends."""
    code = (
        "import sys\nfrom workers.cli.entry_point import run\ntry:\n    run()\nexcept SystemExit:\n    pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *arguments]
    return set(subprocess.run(command, cwd=cwd, capture_output=True, text=True).stderr.split())


def test_the_help_imports_no_library_but_that_of_the_command_line(tmp_path: Path) -> None:
    found = imported("--help", cwd=tmp_path)
    assert "typer" in found
    assert found & (NEVER | {"sqlalchemy", "pydantic", "numpy", "redis", "alembic"}) == set()


def test_the_status_imports_the_store_and_nothing_that_computes(tmp_path: Path) -> None:
    assert waybill("status", cwd=tmp_path).returncode == 0  # it makes the store
    found = imported("status", cwd=tmp_path)
    assert "sqlalchemy" in found
    assert found & (NEVER | {"numpy", "redis", "alembic"}) == set()


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (DONE, ExitCode.DONE),
        (replace(DONE, failed=1), ExitCode.SOME_FAILED),
        (replace(DONE, cancelled=1), ExitCode.SOME_FAILED),
        (replace(DONE, invalid=1), ExitCode.SOME_FAILED),
        (replace(DONE, failed=1, budget_stops=1), ExitCode.BUDGET_STOP),
    ],
)
def test_the_exit_status_says_how_a_batch_ended(state: Progress, status: ExitCode) -> None:
    assert exit_code_of(state) is status


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SettingsError("no Redis"), "no Redis"),
        (LabelsError("file, line 3: not JSON"), "file, line 3: not JSON"),
        (FormatError(Path("x.jsonl"), "is a folder"), "x.jsonl: is a folder"),
        (PermissionError(13, "Permission denied", "/root/x"), "/root/x: Permission denied"),
        (ModuleNotFoundError("no", name="faiss"), "faiss is not installed: pip install 'waybill[all]'"),
    ],
)
def test_a_foreseen_error_becomes_one_line(error: Exception, text: str) -> None:
    assert error_message(error) == text


def test_the_text_of_a_database_error_which_may_hold_a_prompt_is_not_shown() -> None:
    from sqlalchemy.exc import OperationalError

    shown = error_message(OperationalError("INSERT", {"body": "my prompt"}, RuntimeError("my prompt")))
    assert shown is not None
    assert "my prompt" not in shown


def test_a_fault_of_the_program_is_not_hidden() -> None:
    assert error_message(AssertionError("bug")) is None


def test_errors_are_one_line_on_stderr_and_stdout_stays_empty(tmp_path: Path) -> None:
    ended = waybill("status", "batch_nope", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "error: no batch 'batch_nope' in the store\n"


def test_wrong_usage_exits_with_2(tmp_path: Path) -> None:
    assert waybill("worker", "juggle", cwd=tmp_path).returncode == 2
    assert waybill("worker", "embed", "--models", "a", cwd=tmp_path).returncode == 2
    assert waybill("up", "--workers", "embed=x", cwd=tmp_path).returncode == 2
    assert waybill("submit", cwd=tmp_path).returncode == 2


def test_a_wrong_key_in_the_settings_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "waybill.toml").write_text("modles = 1\n")
    ended = waybill("status", cwd=tmp_path)
    assert ended.returncode == 1
    assert "waybill.toml: modles" in ended.stderr


def test_a_reader_that_leaves_early_causes_no_traceback(tmp_path: Path) -> None:
    command = f"{sys.executable} -m workers.cli --help | head -c 10"
    ended = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert ended.stderr == ""


def test_the_first_bad_lines_are_shown_in_full_and_the_rest_is_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with BadLines("in.jsonl") as bad:
        for number in range(1, 24):
            bad.add(InputError(number, "invalid_json", "invalid JSON", None))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "in.jsonl, line 1: invalid JSON [invalid_json]"
    assert len(lines) == 21
    assert lines[-1] == "in.jsonl: and 3 more bad lines"


def test_a_cap_in_dollars_is_never_raised_by_rounding() -> None:
    assert micro_usd(0.29) == 290_000
    assert micro_usd(0.0000019) == 1
    assert micro_usd(None) is None
    assert (usd(2_900), usd(12_345_678)) == ("$0.0029", "$12.35")


def test_a_plain_line_says_everything_that_status_promises() -> None:
    running = replace(
        DONE, status="in_progress", total=20, in_flight=3, failed=1, succeeded=9, budget=9_000_000
    )
    assert progress_line(running, Rate(2.0, 75.0)) == (
        "batch_1 in_progress: 10 of 20 done, 1 failed, 3 in flight, "
        "$2.0000 of $9.0000, projected $4.0000, 2.0/s, 1 min 15 s left"
    )
    assert duration(7384) == "2 h 03 min"


def test_progress_as_json_counts_money_in_dollars() -> None:
    values = progress_to_dict(replace(DONE, paused=(PausedModel("a", "invalid key", 3.0),)))
    assert values["cost_usd"] == 2.0
    assert values["budget_usd"] is None
    assert values["rate_per_s"] == 2.0
    assert json.loads(json.dumps(values))["paused"] == [
        {"model": "a", "reason": "invalid key", "seconds_left": 3.0}
    ]


def test_writing_to_a_file_leaves_the_old_one_if_the_work_fails(tmp_path: Path) -> None:
    from workers.cli.writing import open_output

    file = tmp_path / "decisions.jsonl"
    file.write_text("old")

    def fail() -> None:
        with open_output(file) as stream:
            stream.write("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert file.read_text() == "old"
    with open_output(file) as stream:
        stream.write("new")
    assert file.read_text() == "new"


def test_live_view_and_status_view_can_be_drawn() -> None:
    from rich.console import Console

    from workers.views.batch_report import BatchReport
    from workers.views.live import live_view
    from workers.views.status import batch_view

    out = io.StringIO()
    console = Console(file=out, width=120)
    running = replace(DONE, status="in_progress", paused=(PausedModel("a", "invalid key", 3.0),))
    console.print(live_view(running, Rate(1.0, 2.0)))
    console.print(batch_view(BatchReport(running, (), (), {"timeout": 2})))
    assert "a is paused: invalid key (3 s)" in out.getvalue()
    assert "failures: timeout ×2" in out.getvalue()
