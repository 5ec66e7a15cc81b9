"""Faults of hosts that are far away from the services, or whose clocks differ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.faults.fault_environment import FaultEnvironment
from tests.faults.nemesis import Fault, Injection
from tests.support.tcp_proxy import TcpProxy

#: of a packet on its way, so that a round trip takes twice as long
_DELAY_S = 0.1
_SKEW_S = 120
_LIBRARY = "libfaketimeMT.so.1"


def are_far_away(environment: FaultEnvironment) -> Iterator[None]:
    """Every round trip of every worker to Redis and PostgreSQL takes 200 ms."""
    url = make_url(environment.stack.settings.store_url)
    socket = f"{url.query['host']}/.s.PGSQL.5432"
    redis_port = environment.stack.redis.port
    with TcpProxy(redis_port, delay_s=_DELAY_S) as redis, TcpProxy(socket, delay_s=_DELAY_S) as postgres:
        store = url.set(host="127.0.0.1", port=postgres.port, query={})
        variables = {
            "WAYBILL_REDIS__URL": f"redis://127.0.0.1:{redis.port}/0",
            "WAYBILL_STORE__URL": store.render_as_string(hide_password=False),
        }
        environment.restore(environment.roles, variables)
        yield
        environment.until_begun()
        yield


def has_another_clock(skew_s: int) -> Injection:
    """One of two hosts, with an upkeep and a dispatch worker, has a clock that differs."""

    def inject(environment: FaultEnvironment) -> Iterator[None]:
        variables = {
            "LD_PRELOAD": _library(),
            "FAKETIME": f"{skew_s:+d}s",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        environment.stop(*environment.running("dispatch")[1:], *environment.running("upkeep"))
        skewed = environment.start("upkeep", "dispatch", variables=variables)
        yield
        environment.until_begun()
        environment.until(lambda: environment.stack.sent_by(skewed[1]) > 0)
        yield
        environment.stop(*skewed)

    return inject


def _library() -> str:
    folders = [Path("/usr/lib") / name / "faketime" for name in ("x86_64-linux-gnu", "aarch64-linux-gnu", "")]
    for folder in folders:
        if (folder / _LIBRARY).exists():
            return str(folder / _LIBRARY)
    pytest.skip("no libfaketime here: apt install libfaketime")


FAULTS = [
    Fault(name="links of 200 ms", number=23, inject=are_far_away, stores=("postgresql",)),
    *(
        Fault(
            name=f"a host's clock {_SKEW_S} s {word}",
            number=23,
            inject=has_another_clock(skew_s),
            stores=("postgresql",),
        )
        for word, skew_s in (("ahead", _SKEW_S), ("behind", -_SKEW_S))
    ),
]
