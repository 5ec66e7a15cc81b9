"""The key that opens the page while the demo runs."""

from __future__ import annotations

from tasks.api_keys import keys
from tasks.errors import UsageError
from tasks.store.engine import Store

NAME = "demo"


def new_page_key(store: Store) -> str:
    """Return the text of an operator's key; the text that an earlier demo in this home got opens nothing."""
    try:
        return keys.create(store, NAME, is_operator=True)[1]
    except UsageError:  # an earlier demo made it
        return keys.rotate(store, NAME)[1]
