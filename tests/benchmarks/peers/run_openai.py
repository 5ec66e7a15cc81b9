"""openai's AsyncOpenAI behind a semaphore, the script that most people write."""

from __future__ import annotations

import asyncio

from common import KEY, MAX_TOKENS, MODEL, RETRIES, Task, run
from openai import AsyncOpenAI, OpenAIError


async def ask_all(task: Task) -> list[str | None]:
    slots = asyncio.Semaphore(task.in_flight)
    async with AsyncOpenAI(
        base_url=task.base_url, api_key=KEY, max_retries=RETRIES, timeout=task.timeout_s
    ) as client:

        async def ask(prompt: str) -> str | None:
            async with slots:
                try:
                    answer = await client.chat.completions.create(
                        model=MODEL, messages=[{"role": "user", "content": prompt}], max_tokens=MAX_TOKENS
                    )
                except OpenAIError:
                    return None
                return answer.choices[0].message.content

        return await asyncio.gather(*map(ask, task.prompts))


if __name__ == "__main__":
    run(lambda task: asyncio.run(ask_all(task)))
