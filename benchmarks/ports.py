"""Find free ports, for programs that are killed and restarted at the same address."""

import random
import socket
from pathlib import Path

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_DEFAULT_EPHEMERAL = 32_768  # where the range cannot be read; Linux begins its own there, others later
_LOWEST = 15_000
_dice = random.SystemRandom()  # `random` seeded alike in two processes would give both the same ports


def free_port() -> int:
    """Find one free port."""
    return free_ports(1)[0]


def free_ports(count: int) -> tuple[int, ...]:
    """Find free ports outside the ephemeral range, so that no connection takes one while its program is down."""
    free: list[int] = []
    while len(free) < count:
        port = _dice.randrange(_LOWEST, _end())
        if port not in free and is_free(port):
            free.append(port)
    return tuple(free)


def is_free(port: int) -> bool:
    """True if nothing listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _end() -> int:
    lowest = int(_EPHEMERAL.read_text().split()[0]) if _EPHEMERAL.exists() else _DEFAULT_EPHEMERAL
    return lowest if lowest > _LOWEST else 65_536
