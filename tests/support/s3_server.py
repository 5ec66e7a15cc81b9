"""moto's S3 server in an environment of its own, as a process."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from tests.support.api_clients import installed
from tests.support.ports import free_port
from tests.support.waiting import wait_until

BUCKET = "waybill-files"


@contextmanager
def s3_server() -> Iterator[Mapping[str, str] | None]:
    """Run the server with an empty bucket; yields the environment of its clients, None if it is not there."""
    folder = installed("moto", "moto[server,s3]>=5.2,<6")
    if folder is None:
        yield None
        return
    port = free_port()
    command = [str(folder / "bin" / "moto_server"), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _makes_bucket(url), timeout_s=240)
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        yield {**dict.fromkeys(names, "test"), "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": url}
    finally:
        server.terminate()
        server.wait(120)


def _makes_bucket(url: str) -> bool:
    try:
        return httpx.put(f"{url}/{BUCKET}", trust_env=False).is_success
    except httpx.HTTPError:
        return False
