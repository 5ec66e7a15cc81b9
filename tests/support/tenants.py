"""A tenant of the API without HTTP: a key, its files and batches, and what validates them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, update

from tasks.batch_api import creation
from tasks.batch_api.creation import NewBatch
from tasks.batch_api.validation import Validator
from tasks.files.opening import open_storage
from tasks.files.storage import new_name
from tasks.settings import Settings, load_settings
from tasks.store.api import batches as api_batches
from tasks.store.api import files
from tasks.store.api.keys import Key
from tasks.store.api.tables import api_batch
from tasks.store.engine import Store
from tests.support.api import chat_line
from tests.support.one_model import write_settings


def settings_of(home: Path, store_url: str) -> Settings:
    """Return settings with one model."""
    return load_settings(write_settings(home, store_url, f'home = "{home}"'))


@dataclass(frozen=True, slots=True)
class Tenant:
    """A key and what its owner does, without HTTP."""

    store: Store
    settings: Settings
    key: Key

    @property
    def validator(self) -> Validator:
        return Validator(self.store, self.settings, open_storage(self.settings))

    def upload(self, lines: Sequence[str]) -> str:
        return self.upload_bytes("".join(f"{line}\n" for line in lines).encode())

    def upload_bytes(self, content: bytes) -> str:
        storage = open_storage(self.settings)
        name = new_name()
        draft = storage.draft(name)
        draft.write(content)
        with self.store.write() as connection:
            values = {"purpose": "batch", "filename": "x.jsonl", "stored_as": name, "bytes": draft.size}
            row = files.create(connection, owner=self.key.id, sha256=draft.finish(), **values)
        return str(row["id"])

    def create(self, file_id: str | None = None, *, lines: int = 3, **options: Any) -> RowMapping:
        wanted = {"metadata": {}, "completion_window": "24h", **options}
        file_id = file_id or self.upload([chat_line(number, model="small") for number in range(lines)])
        new = NewBatch(input_file_id=file_id, endpoint="/v1/chat/completions", **wanted)
        return creation.create(self.store, self.settings, self.key, new)

    def row(self, batch_id: str) -> RowMapping:
        with self.store.read() as connection:
            return api_batches.by_id(connection, batch_id)


def expire_lease(store: Store) -> None:
    with store.write() as connection:
        connection.execute(update(api_batch).values(lease_until=1))
