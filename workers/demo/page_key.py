"""The key that opens the page while the demo runs."""

from __future__ import annotations

from itertools import chain, count

from tasks.api_keys import keys
from tasks.store.api.keys import list_keys
from tasks.store.engine import Store

NAME = "demo"


def new_page_key(store: Store) -> str:
    """Return the text of an operator's key; the text that an earlier demo in this home got opens nothing.

    A revoked key stays revoked: the demo then makes one of another name, `demo-2`.
    """
    with store.read() as connection:
        known = {key.name: key.revoked_at is not None for key in list_keys(connection)}
    names = chain([NAME], (f"{NAME}-{number}" for number in count(2)))
    name = next(one for one in names if not known.get(one, False))
    if name in known:
        return keys.rotate(store, name)[1]
    return keys.create(store, name, is_operator=True)[1]
