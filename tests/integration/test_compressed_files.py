"""Compressed files on this machine: found by suffix or first bytes, bounded, and never silently cut."""

import lzma
from pathlib import Path

import pytest

from router_core.compression import decompressed
from tasks.formats.errors import FormatError
from tasks.formats.reading import read_requests
from tasks.formats.requests import InputLimits
from tasks.formats.writing import ResultFormat, write_results
from tests.support.batch_files import LINES, PACKERS, records

FEW = b"".join(LINES.splitlines(keepends=True)[:2_000])


@pytest.mark.parametrize("suffix", [*PACKERS])
def test_compressed_files_are_known_by_suffix_or_first_bytes_and_never_silently_cut(
    tmp_path: Path, suffix: str
) -> None:
    packed = PACKERS[suffix](FEW)
    for name in (f"b.jsonl{suffix}", "b.jsonl"):
        path = tmp_path / name
        path.write_bytes(packed)
        assert len(list(read_requests(path, models=[]))) == 2_000
        for cut in (1, 7, len(packed) // 2):
            path.write_bytes(packed[:-cut])
            with pytest.raises(FormatError, match="to its end"):
                list(read_requests(path, models=[]))


@pytest.mark.parametrize("suffix", [*PACKERS])
def test_a_compressed_file_that_grows_beyond_the_limit_is_stopped(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"b.txt{suffix}"
    path.write_bytes(PACKERS[suffix](b"x\n" * 500_000))
    with pytest.raises(FormatError, match="holds more than 100000 bytes"):
        list(read_requests(path, models=[], limits=InputLimits(max_file_bytes=100_000)))


@pytest.mark.parametrize("suffix", [*PACKERS])
def test_results_are_compressed_by_their_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out.csv{suffix}"
    write_results(records(3), path, format=ResultFormat.CSV)
    with path.open("rb") as raw, decompressed(raw, path) as stream:
        assert len(stream.read().splitlines()) == 4
    with pytest.raises(FormatError, match="compressed inside"):
        write_results(records(1), tmp_path / f"x.parquet{suffix}", format=ResultFormat.PARQUET)


def test_an_xz_file_that_demands_much_memory_is_refused_and_several_streams_are_one(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl.xz"
    path.write_bytes(lzma.compress(LINES[:640]) + b"\0" * 8 + lzma.compress(LINES[640:]))
    with path.open("rb") as raw, decompressed(raw, path) as stream:
        assert stream.read() == LINES
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 512 << 20}]
    path.write_bytes(lzma.compress(LINES, filters=filters))
    with pytest.raises(FormatError, match="to its end: LZMAError"):
        list(read_requests(path, models=[]))


def test_a_text_that_begins_like_a_compressed_file_is_a_text(tmp_path: Path) -> None:
    path = tmp_path / "b.txt"
    path.write_text("BZh1 is how bz2 begins\n")
    assert [item.line for item in read_requests(path, models=[])] == [1]
