"""Which hosts are this one alone."""

import pytest

from tasks.providers.loopback import is_loopback


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.2", True),
        ("::1", True),
        ("localhost", True),
        ("localhost.example.com", False),
        ("127.example.com", False),
        ("0.0.0.0", False),
    ],
)
def test_only_addresses_of_this_host_and_localhost_are_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected
