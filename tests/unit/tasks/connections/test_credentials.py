"""Whatever a password holds, no text shows a part of it, and no driver gets a URL that it would misread."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.connections.credentials import are_clear
from tasks.connections.redis_url import is_redis_url, shown_redis
from tasks.connections.store_url import shown_store
from tasks.errors import SettingsError
from tasks.formats.locations.location import RemoteFile
from tasks.settings.sections import RedisSettings, StoreSettings
from tasks.store.engine import Store

#: parts of passwords, which no host, user or path of these tests holds
PARTS = st.sampled_from(["QUX", "ZIG", "XYZ"])
SIGNS = st.lists(st.sampled_from("@:/?#%"), min_size=1, max_size=4).map("".join)
PASSWORDS = st.lists(st.tuples(PARTS, SIGNS, PARTS).map("".join), min_size=1, max_size=3).map("".join)
HOSTS = ["localhost", "127.0.0.1:6379", "a:1,[::1]:2"]


def assert_hidden(text: str) -> None:
    for part in ("QUX", "ZIG", "XYZ"):
        assert part not in text.upper()


@given(password=PASSWORDS, host=st.sampled_from(HOSTS))
@example(password="QUX@ZIG", host="127.0.0.1:25432")
def test_no_text_shows_a_part_of_a_password_that_is_not_escaped(password: str, host: str) -> None:
    assert_hidden(shown_store(f"postgresql://me:{password}@{host}/db"))
    assert_hidden(shown_redis(f"redis+sentinel://me:{password}@{host}/m/0"))
    one = host.partition(",")[0]
    if is_redis_url(url := f"redis://me:{password}@{one}/0"):
        assert_hidden(shown_redis(url))
    assert_hidden(str(RemoteFile(f"https://me:{password}@{one}/in/a@b.csv?sig=x")))


@given(password=PASSWORDS, host=st.sampled_from(HOSTS))
def test_a_password_that_a_driver_would_cut_is_refused_with_the_escapes_and_not_quoted(
    password: str, host: str
) -> None:
    assert are_clear(f"postgresql://me:{password}@{host}/db") == (not set(password) & set("@/?#"))
    for settings, url in (
        (StoreSettings, f"postgresql://me:{password}@{host}/db"),
        (RedisSettings, f"redis://me:{password}@{host.partition(',')[0]}/0"),
    ):
        if not are_clear(url):
            with pytest.raises(ValueError, match=r"write @ : / \? # % as %40 %3A %2F %3F %23 %25") as refused:
                settings(url=url)
            assert_hidden(str(refused.value.errors()[0]["msg"]))  # type: ignore[attr-defined]


@given(password=PASSWORDS)
def test_an_escaped_password_reaches_the_driver_whole(password: str) -> None:
    store = Store(f"postgresql://me:{quote(password, safe='')}@localhost/db")
    assert (store.engine.url.password, store.engine.url.host) == (password, "localhost")
    assert shown_store(store.engine.url) == "postgresql+psycopg://me:***@localhost/db"
    store.close()


def test_a_store_is_not_opened_by_a_url_whose_password_is_not_clear() -> None:
    with pytest.raises(SettingsError, match="write @") as refused:
        Store("postgresql://me:QUX@ZIG@127.0.0.1:25432/db")
    assert_hidden(str(refused.value))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/me@work/a.csv", "s3://bucket/me@work/a.csv"),
        ("hf://datasets/org/set@main/a.csv", "hf://datasets/org/set@main/a.csv"),
        ("https://me:SECRET@host/a.csv", "https://***@host/a.csv"),
        ("https://me:QUX/ZIG@host/a.csv", "https://***"),
    ],
)
def test_a_file_with_an_at_sign_in_its_path_is_named(url: str, shown: str) -> None:
    assert str(RemoteFile(url)) == shown


def test_a_file_of_sqlite_may_lie_below_a_folder_with_an_at_sign() -> None:
    assert shown_store("sqlite:////home/me@work/a@b.db") == "sqlite:////home/me%40work/a%40b.db"
    assert StoreSettings(url="sqlite:////home/me@work/a@b.db").url
