"""Faults of servers that have a replica, which takes over: Redis with Sentinels."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from tests.faults.fault_environment import FaultEnvironment
from tests.faults.nemesis import Fault, Injection
from tests.support.sentinels import SentinelRedis


def redis_fails_over(how: str) -> Injection:
    """All workers find Redis by Sentinels, and the replica becomes the master.

    Args:
        how: The master is killed, or frozen until the batch has ended, or hands over in order.
    """

    def inject(environment: FaultEnvironment) -> Iterator[None]:
        with SentinelRedis() as redis:
            environment.restore(environment.roles, {"WAYBILL_REDIS__URL": redis.url})
            yield
            environment.until_begun()
            if how == "killed":
                redis.first.kill()
            elif how == "frozen":
                redis.first.signal(signal.SIGSTOP)
            else:
                redis.fail_over()
            redis.await_master(redis.second)
            yield

    return inject


FAULTS = [
    Fault(name=f"Redis master {how}, Sentinels", number=22, inject=redis_fails_over(how))
    for how in ("killed", "frozen", "handing over")
]
