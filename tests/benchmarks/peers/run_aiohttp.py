"""Bare aiohttp: the least that any client can take. No retries, nothing stored."""

from __future__ import annotations

import asyncio

import aiohttp
from common import KEY, MAX_TOKENS, MODEL, Task, run


async def ask_all(task: Task) -> list[str | None]:
    slots = asyncio.Semaphore(task.in_flight)
    timeout = aiohttp.ClientTimeout(total=task.timeout_s)
    connector = aiohttp.TCPConnector(limit=task.in_flight)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def ask(prompt: str) -> str | None:
            body = {
                "model": MODEL,
                "messages": [{"role": "user", "content": prompt}],
                "max_tokens": MAX_TOKENS,
            }
            headers = {"Authorization": f"Bearer {KEY}"}
            async with slots:
                try:
                    async with session.post(
                        f"{task.base_url}/chat/completions", json=body, headers=headers
                    ) as response:
                        answer = await response.json()
                        return answer["choices"][0]["message"]["content"] if response.ok else None
                except (aiohttp.ClientError, TimeoutError):
                    return None

        return await asyncio.gather(*map(ask, task.prompts))


if __name__ == "__main__":
    run(lambda task: asyncio.run(ask_all(task)))
