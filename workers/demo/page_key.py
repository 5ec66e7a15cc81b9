"""The key that opens the page while the demo runs."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path

from tasks.api_keys import keys
from tasks.store.api.keys import Key, list_keys
from tasks.store.engine import Store
from workers.stack.private_files import write_private

NAME = "demo"


def new_page_key(store: Store, note: Path) -> str:
    """Return the text of an operator's key; the text that an earlier demo in this home got opens nothing.

    `note` holds the id of the key that a demo made: only that one is given a new text. Where it was revoked,
    and where somebody else's key has the name, the demo makes one of another name, such as `demo-2`.
    """
    with store.read() as connection:
        known = list_keys(connection)
    if (mine := _made_before(known, note)) is not None:
        return keys.rotate(store, mine.id)[1]
    taken = {key.name for key in known}
    names = chain([NAME], (f"{NAME}-{number}" for number in count(2)))
    key, text = keys.create(store, next(one for one in names if one not in taken), is_operator=True)
    write_private(note, f"{key.id}\n")
    return text


def _made_before(known: list[Key], note: Path) -> Key | None:
    noted = note.read_text(encoding="utf-8").strip() if note.exists() else ""
    return next((key for key in known if key.id == noted and key.revoked_at is None), None)
