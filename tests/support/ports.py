"""Free TCP ports on the loopback interface, for servers that a test starts a moment later."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 12_000


def free_port() -> int:
    """Return a port that nobody listens on, and that the system gives to no connection meanwhile.

    It is below those from which the system takes the ports of connections, and any of thousands: another test
    that asks at the same moment gets another one.
    """
    highest = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
    while True:
        port = random.SystemRandom().randrange(_LOWEST, highest)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
