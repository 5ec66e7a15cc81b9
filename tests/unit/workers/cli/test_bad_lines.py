"""Bad lines of a batch file on the terminal."""

import pytest

from tasks.formats.requests import InputError
from workers.cli.bad_lines import BadLines


def test_the_first_bad_lines_are_shown_in_full_and_the_rest_is_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with BadLines("in.jsonl") as bad:
        for number in range(1, 24):
            bad.add(InputError(number, "invalid_json", "invalid JSON", None))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "in.jsonl, line 1: invalid JSON [invalid_json]"
    assert len(lines) == 21
    assert lines[-1] == "in.jsonl: and 3 more bad lines"
