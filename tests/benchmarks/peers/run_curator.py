"""bespokelabs-curator's `LLM` with its OpenAI-compatible backend, which stores every answer on disk."""

from __future__ import annotations

import os
import sysconfig
import tempfile
from pathlib import Path

os.environ["CURATOR_DISABLE_CACHE"] = "1"
os.environ["CURATOR_VIEWER"] = "0"
os.environ["TELEMETRY_ENABLED"] = "false"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ.setdefault("OPENAI_API_KEY", "sk-local")
# tiktoken would fetch its table from the internet; LiteLLM, which curator brings along, has it.
_PACKAGES = Path(sysconfig.get_path("purelib"))
os.environ["TIKTOKEN_CACHE_DIR"] = str(_PACKAGES / "litellm" / "litellm_core_utils" / "tokenizers")

from bespokelabs import curator  # noqa: E402
from common import KEY, MAX_TOKENS, MODEL, RETRIES, Task, run  # noqa: E402


def ask_all(task: Task) -> list[str | None]:
    os.environ["CURATOR_CACHE_DIR"] = tempfile.mkdtemp(prefix="curator-")
    model = curator.LLM(
        model_name=MODEL,
        backend="openai",
        generation_params={"max_tokens": MAX_TOKENS},
        backend_params={
            "base_url": task.base_url,
            "api_key": KEY,
            "max_concurrent_requests": task.in_flight,
            "max_requests_per_minute": 1_000_000,
            "max_tokens_per_minute": 1_000_000_000,
            "request_timeout": int(task.timeout_s),
            "max_retries": RETRIES,
            "require_all_responses": False,
            # It would ask again for every answer that ends at max_tokens.
            "invalid_finish_reasons": ["content_filter"],
        },
    )
    answers = model(task.prompts)
    rows = getattr(answers, "dataset", answers)
    return [row["response"] for row in rows]


if __name__ == "__main__":
    run(ask_all)
