"""Containers as hosts: the links of one are cut with iptables in its own network namespace (as root)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.compose.compose_stack import ComposeStack
from tests.compose.engine import run


@contextmanager
def cut(stack: ComposeStack, service: str, *chains: str, port: int | None = None) -> Iterator[None]:
    """Drop a container's packets while the block lasts.

    Args:
        stack: The host.
        service: Its container.
        chains: OUTPUT for what it sends, INPUT for what it receives.
        port: Only packets to (OUTPUT) or from (INPUT) this port of others.
    """
    pid = str(stack.inspect(stack.containers(service)[0])["State"]["Pid"])
    inside = ("nsenter", "--target", pid, "--net", "iptables")
    rules = [(chain, *_match(chain, port), "-j", "DROP") for chain in chains]
    for rule in rules:
        run(*inside, "--insert", *rule)
    try:
        yield
    finally:
        for rule in rules:
            run(*inside, "--delete", *rule)


def _match(chain: str, port: int | None) -> tuple[str, ...]:
    if port is None:
        return ("!", "-o" if chain == "OUTPUT" else "-i", "lo")
    return ("-p", "tcp", "--dport" if chain == "OUTPUT" else "--sport", str(port))


def flap(stack: ComposeStack, service: str, *, times: int, seconds: float) -> None:
    """Cut a container off and let it back, again and again."""
    for _ in range(times):
        with cut(stack, service, "OUTPUT", "INPUT"):
            time.sleep(seconds)
        time.sleep(seconds)
