"""langchain's `ChatOpenAI.abatch`."""

from __future__ import annotations

import asyncio

from common import KEY, MAX_TOKENS, MODEL, RETRIES, Task, run
from langchain_openai import ChatOpenAI


async def ask_all(task: Task) -> list[str | None]:
    model = ChatOpenAI(
        model=MODEL,
        base_url=task.base_url,
        api_key=KEY,
        max_tokens=MAX_TOKENS,
        max_retries=RETRIES,
        timeout=task.timeout_s,
    )
    answers = await model.abatch(
        task.prompts, config={"max_concurrency": task.in_flight}, return_exceptions=True
    )
    return [getattr(answer, "content", None) for answer in answers]


if __name__ == "__main__":
    run(lambda task: asyncio.run(ask_all(task)))
