"""The folding of deltas soon after they are written."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.exc import OperationalError

from tasks.stages.dispatch import delta_folder
from tasks.stages.dispatch.delta_folder import DeltaFolder
from tasks.stages.dispatch.repository import DispatchRepository
from tasks.store.engine import Store


class Folding(DispatchRepository):
    """A store whose answers to each folding are given beforehand."""

    def __init__(self, *answers: bool | Exception) -> None:
        super().__init__(Store("sqlite://"), "me")
        self.folded: list[int] = []
        self._answers = list(answers)

    def fold(self, batch_no: int) -> bool:
        self.folded.append(batch_no)
        answer = self._answers.pop(0) if self._answers else True
        if isinstance(answer, Exception):
            raise answer
        return answer


async def rounds(folder: DeltaFolder, repository: Folding, most: int) -> None:
    """Run until so many batches were folded, and a moment longer, for one too many."""
    running = asyncio.create_task(folder.run())
    async with asyncio.timeout(200):
        while len(repository.folded) < most:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    running.cancel()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FOLD_S", "DOWN_S"):
        monkeypatch.setattr(delta_folder, name, 0.01)


def test_a_batch_is_folded_once_however_often_it_was_noted() -> None:
    repository = Folding()
    folder = DeltaFolder(repository)
    for batch_no in (1, 1, 1):
        folder.note(batch_no)
    asyncio.run(rounds(folder, repository, 1))
    assert repository.folded == [1]


@pytest.mark.parametrize(
    "answer", [False, OperationalError("DELETE", None, Exception())], ids=["locked", "down"]
)
def test_a_batch_that_could_not_be_folded_is_folded_later(answer: bool | Exception) -> None:
    repository = Folding(answer)
    folder = DeltaFolder(repository)
    folder.note(7)
    asyncio.run(rounds(folder, repository, 2))
    assert repository.folded == [7, 7]


def test_a_batch_whose_deltas_are_broken_keeps_no_other_from_being_folded() -> None:
    repository = Folding(TypeError("a defect"))
    folder = DeltaFolder(repository)
    for batch_no in (7, 8):
        folder.note(batch_no)
    asyncio.run(rounds(folder, repository, 2))
    assert sorted(repository.folded) == [7, 8]
