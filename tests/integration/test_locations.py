"""Batch files and results behind URLs (HTTP, S3 and others), several files, and links."""

import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from router_core.compression import decompressed
from tasks.formats.errors import FormatError
from tasks.formats.inputs.options import input_options
from tasks.formats.locations import remote
from tasks.formats.locations.expansion import expanded, source_name
from tasks.formats.locations.location import RemoteFile, is_url, location_of
from tasks.formats.reading import InputError, ParsedRequest, read_requests
from tasks.formats.results import ResultRecord
from tasks.formats.writing import ResultFormat, write_results
from tasks.settings import ModelSettings, Settings
from tasks.submission.source import from_files
from tests.support.batch_files import LINES, PACKERS, records
from tests.support.file_servers import FileServer, file_server

pytest.importorskip("fsspec")

SETTINGS = Settings(
    models=(ModelSettings(name="small", litellm="openai/small", input_price=1, output_price=2),)
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(remote, "PAUSE_S", 0.01)
    with file_server(b_jsonl=LINES) as state:
        for name, value in {
            "AWS_ENDPOINT_URL": state.url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "very-secret",
            "AWS_REGION": "eu-central-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield state


def count(url: str) -> int:
    items = list(read_requests(RemoteFile(url), models=[]))
    assert all(isinstance(item, ParsedRequest) for item in items)
    assert [item.line for item in items] == list(range(1, len(items) + 1))
    return len(items)


@pytest.mark.parametrize("suffix", ["", *PACKERS])
def test_files_behind_http_are_read_compressed_or_not(server: FileServer, suffix: str) -> None:
    server.files[f"/b.jsonl{suffix}"] = PACKERS[suffix](LINES) if suffix else LINES
    assert count(f"{server.url}/b.jsonl{suffix}") == 20_000


def test_a_server_without_ranges_is_read_as_a_stream(server: FileServer) -> None:
    server.ranges = False
    assert count(f"{server.url}/b.jsonl") == 20_000


def test_a_download_that_breaks_off_goes_on_where_it_broke(server: FileServer) -> None:
    server.breaks = 3
    assert count(f"{server.url}/b.jsonl") == 20_000
    assert server.breaks == 0


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_never_comes_whole_is_never_a_success(server: FileServer, ranges: bool) -> None:
    server.breaks, server.ranges = 1_000, ranges
    with pytest.raises(FormatError, match=r"broken off|cannot be"):
        list(read_requests(RemoteFile(f"{server.url}/b.jsonl"), models=[]))


def test_a_url_with_a_token_is_masked_in_every_text(server: FileServer) -> None:
    file = RemoteFile(f"{server.url.replace('//', '//user:word@')}/no.jsonl?X-Amz-Signature=very-secret#f")
    with pytest.raises(FormatError) as caught:
        list(read_requests(file, models=[]))
    for text in (str(caught.value), repr(file), str(file), source_name([file]), source_name([file, file])):
        assert "very-secret" not in text
        assert "word" not in text
    assert str(file).endswith("/no.jsonl?***")


def test_objects_of_s3_are_read_found_by_glob_and_written(server: FileServer) -> None:
    for name in ("part-2.jsonl", "part-1.jsonl.gz", "other.txt"):
        server.files[f"/bucket/in/{name}"] = gzip.compress(LINES) if name.endswith(".gz") else LINES
    assert count("s3://bucket/in/part-2.jsonl") == 20_000
    found = expanded(["s3://bucket/in/part-*"])
    assert [str(file) for file in found] == ["s3://bucket/in/part-1.jsonl.gz", "s3://bucket/in/part-2.jsonl"]
    with pytest.raises(FormatError, match="no such file"):
        count("s3://bucket/in/none.jsonl")
    with pytest.raises(FormatError, match="matches no file"):
        expanded(["s3://bucket/in/none-*"])


def test_credentials_come_from_the_environment_or_from_a_profile(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/bucket/b.jsonl"] = LINES
    assert count("s3://bucket/b.jsonl") == 20_000
    assert all("Credential=key/" in signature for signature in server.signatures)
    server.signatures.clear()
    pytest.importorskip("boto3")
    (tmp_path / "credentials").write_text(
        "[team]\naws_access_key_id = of-the-team\naws_secret_access_key = very-secret\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "team")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert count("s3://bucket/b.jsonl") == 20_000
    assert all("Credential=of-the-team/" in signature for signature in server.signatures)


def test_results_are_uploaded_whole_and_compressed(server: FileServer) -> None:
    write_results(records(3), RemoteFile("s3://bucket/out/x.jsonl.zst"), format=ResultFormat.JSONL)
    packed = io.BufferedReader(io.BytesIO(server.files["/bucket/out/x.jsonl.zst"]))  # type: ignore[arg-type]
    with decompressed(packed, "x.zst") as stream:
        assert [json.loads(line)["custom_id"] for line in stream] == ["r0", "r1", "r2"]
    write_results(records(3), RemoteFile("s3://bucket/out/x.parquet"), format=ResultFormat.PARQUET)
    assert pq.read_table(io.BytesIO(server.files["/bucket/out/x.parquet"])).num_rows == 3


def test_nothing_is_uploaded_if_writing_fails(server: FileServer) -> None:
    def failing() -> Iterator[ResultRecord]:
        yield from records(2)
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        write_results(failing(), RemoteFile("s3://bucket/out/y.jsonl"), format=ResultFormat.OPENAI)
    assert "/bucket/out/y.jsonl" not in server.files
    with pytest.raises(FormatError, match="only read"):
        write_results(failing(), RemoteFile(f"{server.url}/y.jsonl"), format=ResultFormat.OPENAI)


def test_parquet_behind_a_url_is_read_and_stays_uncompressed_outside(server: FileServer) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"prompt": ["a", "b"]}), out)
    server.files["/bucket/b.parquet"] = out.getvalue()
    assert count("s3://bucket/b.parquet") == 2
    with pytest.raises(FormatError, match="compressed inside"):
        list(read_requests(RemoteFile("s3://bucket/b.parquet.gz"), models=[]))


def test_a_broken_quote_in_a_remote_table_is_looked_for_before_it_is_read(server: FileServer) -> None:
    server.files["/b.csv"] = b'id,prompt\n1,"He said "hi" to me\nand then, delete\nx"\n2,fine\n'
    items = list(read_requests(RemoteFile(f"{server.url}/b.csv"), models=[]))
    assert [item.line for item in items] == [2, 5]


def test_a_fsspec_file_system_is_reached_by_its_scheme() -> None:
    import fsspec

    fsspec.filesystem("memory").pipe_file("/folder/b.jsonl", LINES)
    assert count("memory://folder/b.jsonl") == 20_000
    write_results(records(1), RemoteFile("memory://folder/out.jsonl.gz"), format=ResultFormat.OPENAI)
    packed = fsspec.filesystem("memory").cat_file("/folder/out.jsonl.gz")
    assert json.loads(gzip.decompress(packed))["custom_id"] == "r0"


def test_a_large_remote_file_is_read_in_flat_memory(server: FileServer) -> None:
    server.files["/big.jsonl"] = (b'{"prompt": "' + b"x" * 4_000 + b'"}\n') * 30_000
    tracemalloc.start()
    for item in read_requests(RemoteFile(f"{server.url}/big.jsonl"), models=[]):
        assert item.line
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The server is in this process and copies the ranges that it sends.
    assert peak < 50 << 20, "not the 120 MB of the file"


def test_links_are_followed_only_if_asked_to(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("hello\n")
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "real.txt")
    with pytest.raises(FormatError, match="--follow-links"):
        list(read_requests(link, models=[]))
    assert len(list(read_requests(link, models=[], options=input_options(follow_links=True)))) == 1
    link.unlink()
    link.symlink_to(tmp_path)
    with pytest.raises(FormatError, match="folder"):
        list(read_requests(link, models=[], options=input_options(follow_links=True)))


def test_several_files_and_globs_are_one_batch_whose_errors_name_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": "a1"}\n\n{"nothing": 1}\n{"prompt": "a4"}\n\n')
    (tmp_path / "b").mkdir()
    (tmp_path / "b/2.csv").write_text("prompt,model\nb2,small\nb3,nobody\n")
    (tmp_path / "b/1.csv").write_text("prompt\nb1\n")
    (tmp_path / "b/3.csv").write_text("")
    files = expanded([str(tmp_path / "a.jsonl"), str(tmp_path / "b/*.csv")])
    notices: list[str] = []
    items = list(from_files(files, SETTINGS, on_notice=notices.append))
    assert [item.line for item in items] == [1, 3, 4, 6, 8, 9]
    prompts = [item.prompt for item in items if isinstance(item, ParsedRequest)]
    assert prompts == ["a1", "a4", "b1", "b2"]
    assert len({item.custom_id for item in items}) == 6
    errors = [item.reason for item in items if isinstance(item, InputError)]
    assert errors[0].startswith(f"{tmp_path}/a.jsonl, line 3: holds neither")
    assert errors[1].startswith(f"{tmp_path}/b/2.csv, line 3: the model 'nobody'")
    assert notices == [f"{tmp_path}/b/3.csv holds no requests"]


def test_the_source_of_several_files_tells_them_apart_and_repeats_itself(tmp_path: Path) -> None:
    first = [tmp_path / f"{n}.jsonl" for n in range(3)]
    assert source_name([*first]) == source_name([*first])
    assert source_name([first[0], first[2]]) != source_name([*first])
    assert source_name([first[0], first[1], first[2]]) != source_name([first[0], tmp_path / "x", first[2]])
    with pytest.raises(FormatError, match="twice"):
        expanded([str(first[0]), str(first[0])])
    with pytest.raises(FormatError, match="matches no file"):
        expanded([str(tmp_path / "*.jsonl")])


def test_only_known_schemes_without_white_space_are_urls() -> None:
    assert is_url("s3://bucket/key")
    assert not is_url("ftp://host/file")
    assert not is_url("https://x.org: what is it?")
    assert location_of("C://x") == Path("C://x")
