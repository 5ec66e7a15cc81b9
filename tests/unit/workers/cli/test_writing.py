"""Output files of the command."""

from pathlib import Path

import pytest

from workers.cli.writing import open_output


def test_writing_to_a_file_leaves_the_old_one_if_the_work_fails(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    file.write_text("old")

    def fail() -> None:
        with open_output(str(file)) as stream:
            stream.write("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert file.read_text() == "old"
    with open_output(str(file)) as stream:
        stream.write("new")
    assert file.read_text() == "new"
