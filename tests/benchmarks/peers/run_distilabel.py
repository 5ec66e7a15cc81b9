"""distilabel's OpenAILLM: as many prompts at a time as may be in flight, as its pipelines' batches are."""

from __future__ import annotations

from common import KEY, MAX_TOKENS, MODEL, RETRIES, Task, run
from distilabel.models.llms import OpenAILLM


def ask_all(task: Task) -> list[str | None]:
    model = OpenAILLM(
        model=MODEL,
        base_url=task.base_url,
        api_key=KEY,
        max_retries=RETRIES,
        timeout=int(task.timeout_s),
        generation_kwargs={"max_new_tokens": MAX_TOKENS},
    )
    model.load()
    answers: list[str | None] = []
    prompts = task.prompts
    for start in range(0, len(prompts), task.in_flight):
        batch = [[{"role": "user", "content": prompt}] for prompt in prompts[start : start + task.in_flight]]
        for output in model.generate(inputs=batch):
            answers.append(output["generations"][0])
    return answers


if __name__ == "__main__":
    run(ask_all)
