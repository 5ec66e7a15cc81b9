"""What a user writes: mypy, strict, finds its types, and each mistake that is marked (`make check`)."""

import asyncio
from collections.abc import Iterator

from waybill import (
    AsyncBatch,
    AsyncWaybill,
    Batch,
    Estimate,
    InputError,
    Progress,
    ResultRecord,
    UsageError,
    Waybill,
)


def answers(prompts: list[str]) -> list[str | None]:
    """Submit, wait, send again, read."""
    with Waybill(url="https://waybill.example.com", key="sk-wb-x") as waybill:
        batch: Batch = waybill.submit(
            prompts, system="s", temperature=0, max_tokens=9, models=["a"], reuse="30d", budget=1
        )
        state: Progress = batch.wait(timeout=5)
        records: Iterator[ResultRecord] = batch.results(failed=True)
        errors: list[InputError] = batch.input_errors()
        sent: int = batch.retry(budget=2.5)
        waybill.submit(prompts, policy="saving", quality_floor=0.02)
        estimate: Estimate = waybill.estimate(prompts, system="s", policy="weighted", cost_weight=0.1)
        print(state.done, sent, errors, estimate.cost_usd)
        return [record.error_code for record in records]


async def later() -> int:
    """Do the same with `await`."""
    async with AsyncWaybill() as waybill:
        batch: AsyncBatch = await waybill.submit(["a"], budget=1.0)
        task = asyncio.create_task(batch.status())
        failed = [record.custom_id async for record in batch.results(failed=True)]
        return (await task).total + len(failed)


async def wrong(waybill: Waybill, twin: AsyncWaybill) -> None:
    """Make mistakes, which mypy finds: it reports each mark that is not needed."""
    waybill.submit(["a"], max_tokenz=3)  # type: ignore[call-arg]
    waybill.submit(["a"], budget="5")  # type: ignore[arg-type]
    waybill.submit(["a"], policy="cheap")  # type: ignore[arg-type]
    waybill.estimate(["a"], max_tokenz=3)  # type: ignore[call-arg]
    await twin.submit(["a"], max_tokenz=3)  # type: ignore[call-arg]
    number: str = waybill.batch().retry()  # type: ignore[assignment]
    raise UsageError(number)
