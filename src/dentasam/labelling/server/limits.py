"""How long and how many: what one client may take of the server, and how many connections it can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WANTED_DESCRIPTORS: Final = 8192
MAX_CONNECTIONS: Final = 4096
# Files, the database's connections, and those that are accepted in one go before any of them can be dropped.
RESERVED_DESCRIPTORS: Final = 256


@dataclass(frozen=True)
class ClientLimits:
    """What a client has to keep to.

    connections: how many are open at a time. head_seconds: for the whole head of a request, however it trickles in.
    idle_seconds: between two requests of a connection. body_seconds, write_seconds: the time in which a client must
    send or read `bytes_per_second` on average, or it is cut off. linger_seconds: for the rest of a body that nobody
    waits for any more, since its request is answered.
    """

    connections: int = MAX_CONNECTIONS
    head_seconds: float = 10.0
    idle_seconds: int = 5
    body_seconds: float = 30.0
    write_seconds: float = 60.0
    linger_seconds: float = 10.0
    bytes_per_second: float = 1000.0

    @property
    def strangers(self) -> int:
        """How many connections on which nobody has signed in yet; the others are kept for those who have."""
        return max(self.connections // 2, 1)


def affordable_connections() -> int:
    """How many connections this process can hold, after its limit of open files is raised as far as it may."""
    try:
        import resource
    except ImportError:
        # Windows has no such limit for sockets.
        return MAX_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(WANTED_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (OSError, ValueError):
            # Some systems refuse less than they announce; the limit stays as it is.
            pass
    return connections_within(WANTED_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft)


def connections_within(descriptors: int) -> int:
    """How many connections leave enough of `descriptors` for everything else."""
    return min(max(descriptors - RESERVED_DESCRIPTORS, descriptors // 4, 2), MAX_CONNECTIONS)
