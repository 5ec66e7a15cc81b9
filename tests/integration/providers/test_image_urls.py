"""The URLs of images in messages, which LiteLLM fetches itself for some providers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tasks.providers.litellm_setup import import_litellm
from tests.support.file_servers import file_server


@pytest.fixture(scope="module")
def litellm() -> Any:
    return import_litellm()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "[::1]"])
def test_no_private_address_is_asked_for_an_image_and_its_url_is_not_logged(
    litellm: Any, host: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from litellm.litellm_core_utils.prompt_templates import image_handling

    with file_server(canary_png=b"\x89PNG") as server:
        port = server.url.rsplit(":", 1)[1]
        url = f"http://{host}:{port}/canary.png"
        for fetch in (
            lambda: image_handling.convert_url_to_base64(url, timeout=2),
            lambda: asyncio.run(image_handling.async_convert_url_to_base64(url, timeout=2)),
        ):
            with pytest.raises(litellm.BadRequestError):
                fetch()
        assert server.queries == []
    assert "canary" not in caplog.text
    printed = capfd.readouterr()
    assert "canary" not in printed.out + printed.err
