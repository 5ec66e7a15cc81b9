"""Ids of batches as people type them: a unique prefix is enough."""

import pytest

from tasks.errors import UnknownBatch, UsageError
from tasks.store import batches
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store


def _full_id(store: Store, text: str) -> str:
    with store.read() as connection:
        return batches.full_id(connection, text)


@pytest.fixture
def ids(store: Store) -> list[str]:
    """Three batches of known ids; the first one's is the beginning of the second one's."""
    known = ["batch_0123", "batch_0123456789abcdef", "batch_fedcba9876543210"]
    with store.write() as connection:
        for one in known:
            batches.create(connection, source="x", options=BatchOptions(), budget=None, batch_id=one)
    return known


@pytest.mark.parametrize("text", ["f", "batch_f", "fedc", "batch_fedcba9876543210", "fedcba9876543210"])
def test_a_unique_beginning_is_enough_with_or_without_batch(store: Store, ids: list[str], text: str) -> None:
    assert _full_id(store, text) == ids[2]


def test_a_whole_id_is_itself_also_where_another_begins_with_it(store: Store, ids: list[str]) -> None:
    assert _full_id(store, "batch_0123") == ids[0]
    assert _full_id(store, "0123") == ids[0]


def test_a_beginning_of_several_ids_is_refused_and_names_them(store: Store, ids: list[str]) -> None:
    with pytest.raises(UsageError, match=r"means several batches: batch_0123456789abcdef, batch_0123$"):
        _full_id(store, "012")


@pytest.mark.parametrize(
    "text", ["", " ", "b", "batch", "batch_", "e", "batch_9", "%", "batch_%", "_", "FEDC"]
)
def test_what_begins_no_id_or_every_one_is_no_batch(store: Store, ids: list[str], text: str) -> None:
    with pytest.raises(UnknownBatch):
        _full_id(store, text)


def _named(store: Store, name: str, *batch_ids: str) -> None:
    with store.write() as connection:
        for one in batch_ids:
            batches.create(connection, source="x", options=BatchOptions(name=name), budget=None, batch_id=one)


@pytest.mark.parametrize("name", ["nightly", "batch_", "b", "e", "50%"])
def test_a_name_that_one_batch_has_is_enough(store: Store, ids: list[str], name: str) -> None:
    _named(store, name, "batch_aaaa")
    assert _full_id(store, name) == "batch_aaaa"
    with pytest.raises(UnknownBatch):
        _full_id(store, f"{name} ")


def test_a_name_of_several_batches_is_refused_and_lists_the_newest_ids(store: Store, ids: list[str]) -> None:
    _named(store, "nightly", *(f"batch_a{number}" for number in range(5)))
    with pytest.raises(UsageError, match=r"'nightly' means several batches: batch_a4, .*, batch_a1, …$"):
        _full_id(store, "nightly")


def test_a_name_that_begins_the_id_of_another_batch_is_refused_and_a_whole_id_is_not(
    store: Store, ids: list[str]
) -> None:
    _named(store, "fed", "batch_aaaa")
    _named(store, "0123", "batch_bbbb")
    with pytest.raises(UsageError, match=r"means several batches: batch_aaaa, batch_fedcba9876543210$"):
        _full_id(store, "fed")
    assert _full_id(store, "0123") == ids[0]
