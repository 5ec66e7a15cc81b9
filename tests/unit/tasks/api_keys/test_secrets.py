"""The texts of keys."""

import pytest

from tasks.api_keys.secrets import key_text, matches, new_key_id, new_secret, parse, secret_hash
from tasks.store.api.keys import Hashes


def test_a_key_s_text_gives_its_id_and_its_secret_back() -> None:
    for _ in range(200):  # a secret may hold any of - and _
        key_id, secret = new_key_id(), new_secret()
        assert parse(key_text(key_id, secret)) == (key_id, secret)


@pytest.mark.parametrize("text", ["", "sk-wb-", "sk-wb-0-x", "sk-wb-" + "0" * 16 + "-" + "\u0660" * 43])
def test_another_text_is_no_key(text: str) -> None:
    assert parse(text) is None


def test_a_secret_matches_its_own_hashes_only() -> None:
    secret, old = new_secret(), new_secret()
    hashes = Hashes(secret_hash(secret), secret_hash(old))
    assert matches(secret, hashes)
    assert matches(old, hashes)
    assert not matches(old, Hashes(secret_hash(secret), None))
    assert not matches(new_secret(), hashes)
    assert not matches("nobody", None)
