"""Batches on the command line: their names, and ids of which the beginning is enough."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.store import batches
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.schema import ensure_schema
from tests.support import store_builders
from tests.support.command import assert_exit, waybill

NAME = "nightly summaries"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with settings and a store of two finished batches; the newer one has a name."""
    (tmp_path / "waybill.toml").write_text('home = "."\n')
    store = Store(f"sqlite:///{tmp_path}/waybill.db")
    ensure_schema(store)
    for name in (None, NAME):
        number = store_builders.submit(store, store_builders.lines(3), options=BatchOptions(name=name))
        store_builders.settle_all(store, number, model="small")
    store.close()
    return tmp_path


@pytest.fixture
def newest(home: Path) -> Iterator[str]:
    """The id of the newer batch."""
    store = Store(f"sqlite:///{home}/waybill.db")
    with store.read() as connection:
        yield str(batches.find(connection)["id"])
    store.close()


def test_results_without_an_id_are_those_of_the_newest_batch_and_say_so(home: Path, newest: str) -> None:
    ended = waybill("results", cwd=home)
    assert_exit(ended, 0)
    assert f"the newest batch: {newest} ({NAME})" in ended.stderr
    assert len(ended.stdout.splitlines()) == 3


def test_commands_take_the_beginning_of_an_id(home: Path, newest: str) -> None:
    short = newest.removeprefix("batch_")[:12]
    shown = waybill("status", short, "--json", cwd=home)
    assert_exit(shown, 0)
    assert (json.loads(shown.stdout)["batch_id"], json.loads(shown.stdout)["name"]) == (newest, NAME)
    named = [("results", short), ("labels", "export", "--batch", short), ("archive", short, "--to", "a")]
    for arguments in named:
        assert_exit(waybill(*arguments, cwd=home), 0)
    for arguments in (("cancel", short), ("retry", short), ("pause", short), ("budget", short, "1")):
        assert newest in waybill(*arguments, cwd=home).stderr, arguments
    assert newest in waybill("data", "delete", short, cwd=home).stderr


def test_the_list_of_batches_shows_names(home: Path, newest: str) -> None:
    listed = waybill("status", cwd=home)
    assert_exit(listed, 0)
    assert newest in listed.stdout
    assert NAME in listed.stdout


@pytest.mark.parametrize("name", ["x" * 101, "two\nlines", "bell\a"])
def test_a_name_is_one_short_line(home: Path, name: str) -> None:
    (home / "waybill.toml").write_text(
        'home = "."\n[[models]]\nname = "a"\nlitellm = "openai/a"\ninput_price = 1\noutput_price = 1\n'
    )
    ended = waybill("submit", "-", "--format", "text", "--name", name, cwd=home, stdin="hello\n")
    assert_exit(ended, 1)
    assert "the name of a batch" in ended.stderr


def test_the_version_is_printed(home: Path) -> None:
    ended = waybill("--version", cwd=home)
    assert_exit(ended, 0)
    assert ended.stdout.startswith("waybill ")
