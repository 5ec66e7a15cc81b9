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
    with pytest.raises(UsageError, match=r"begins several ids: batch_0123, batch_0123456789abcdef$"):
        _full_id(store, "012")


@pytest.mark.parametrize(
    "text", ["", " ", "b", "batch", "batch_", "e", "batch_9", "%", "batch_%", "_", "FEDC"]
)
def test_what_begins_no_id_or_every_one_is_no_batch(store: Store, ids: list[str], text: str) -> None:
    with pytest.raises(UnknownBatch):
        _full_id(store, text)
