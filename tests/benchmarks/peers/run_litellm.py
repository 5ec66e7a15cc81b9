"""litellm.acompletion behind a semaphore."""

from __future__ import annotations

import asyncio
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from common import KEY, MAX_TOKENS, MODEL, RETRIES, Task, run


async def ask_all(task: Task) -> list[str | None]:
    slots = asyncio.Semaphore(task.in_flight)

    async def ask(prompt: str) -> str | None:
        async with slots:
            try:
                answer = await litellm.acompletion(
                    model=f"openai/{MODEL}",
                    messages=[{"role": "user", "content": prompt}],
                    max_tokens=MAX_TOKENS,
                    api_base=task.base_url,
                    api_key=KEY,
                    timeout=task.timeout_s,
                    max_retries=RETRIES,
                )
            except Exception:
                return None
            return answer.choices[0].message.content

    return await asyncio.gather(*map(ask, task.prompts))


if __name__ == "__main__":
    run(lambda task: asyncio.run(ask_all(task)))
