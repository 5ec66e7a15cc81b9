"""Answers that a test holds back: a call waits at its name until the test lets it go.

So a test meets a batch in its middle on a fast machine and on a slow one.
"""

import asyncio
import math
from collections import defaultdict, deque
from dataclasses import dataclass, field

#: a call that nobody lets go is answered after this time
LIMIT_S = 1_800.0


@dataclass(slots=True)
class _Hold:
    """The calls that wait at one name, and how many more may pass."""

    free: float = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    def let_go(self) -> None:
        """Let go as many as may pass, the first to come first."""
        while self.free > 0 and self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                self.free -= 1
                turn.set_result(None)


class Holds:
    """The names at which calls wait."""

    def __init__(self) -> None:
        self._holds: defaultdict[str, _Hold] = defaultdict(_Hold)

    async def wait(self, name: str) -> None:
        """Wait until a call may pass this name, for `LIMIT_S` at most."""
        hold, turn = self._holds[name], asyncio.get_running_loop().create_future()
        hold.waiting.append(turn)
        hold.let_go()
        try:
            async with asyncio.timeout(LIMIT_S):
                await turn
        except TimeoutError:
            pass
        finally:
            if turn in hold.waiting:
                hold.waiting.remove(turn)

    def release(self, name: str, calls: int | None = None) -> None:
        """Let so many calls pass, those that wait first; None lets all pass from now on."""
        hold = self._holds[name]
        hold.free += math.inf if calls is None else calls
        hold.let_go()

    def release_all(self) -> None:
        """Let everything pass that waits."""
        for name in list(self._holds):
            self.release(name)

    def waiting(self) -> dict[str, int]:
        """Return how many calls wait at each name."""
        return {name: len(hold.waiting) for name, hold in self._holds.items() if hold.waiting}
