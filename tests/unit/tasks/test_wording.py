"""Words for people."""

import pytest

from tasks.wording import counted


@pytest.mark.parametrize(("number", "text"), [(0, "0 lines"), (1, "1 line"), (2_000, "2,000 lines")])
def test_a_noun_follows_its_number(number: int, text: str) -> None:
    assert counted(number, "line") == text
