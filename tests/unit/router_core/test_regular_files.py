import errno
import os

import pytest

from router_core.regular_files import NotRegularFileError, is_symbolic_link, open_regular_file, reason_of


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


def open_descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_a_regular_file_is_read(file):
    with open_regular_file(file) as stream:
        assert stream.read() == b"content"


def test_a_symbolic_link_is_not_followed(file, tmp_path):
    (tmp_path / "link").symlink_to(file)
    with pytest.raises(OSError, match="symbolic links") as caught:
        open_regular_file(tmp_path / "link")
    assert is_symbolic_link(caught.value)


def test_a_missing_file_is_no_symbolic_link(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        open_regular_file(tmp_path / "missing")
    assert not is_symbolic_link(caught.value)


def test_a_pipe_is_refused_without_waiting_for_a_writer_and_closed(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    before = open_descriptors()
    with pytest.raises(NotRegularFileError):
        open_regular_file(tmp_path / "pipe")
    assert open_descriptors() == before


def test_a_directory_is_refused_and_closed(tmp_path):
    before = open_descriptors()
    with pytest.raises(IsADirectoryError):
        open_regular_file(tmp_path)
    assert open_descriptors() == before


def test_the_reason_names_the_user_who_may_not_read_a_file():
    # a root that tests are run as may read everything, so no file would be refused
    refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    assert reason_of(refused) == f"Permission denied for uid {os.geteuid()}"


def test_other_reasons_are_the_systems(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        open_regular_file(tmp_path / "missing")
    assert reason_of(caught.value) == "No such file or directory"
