"""The open connections, and which of them goes when there are too many.

Anybody who reaches the port can open connections and send nothing, or half a head. Therefore those on which nobody
has signed in are limited to a part of all, and the oldest of them that waits for its client makes room for a new one:
a browser sends its request within milliseconds, long before as many others have come. A limit by address would not
help: behind a proxy all clients have the proxy's address, and on this machine all have 127.0.0.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Protocol

from dentasam.labelling.server.limits import ClientLimits


class Client(Protocol):
    """One connection."""

    @property
    def signed_in(self) -> bool:
        """Whether a request with a valid token came on it."""
        ...

    @property
    def answering(self) -> bool:
        """Whether a request of it is being answered."""
        ...

    def overdue(self, now: float) -> bool:
        """Whether the client keeps the server waiting for too long. Called every half second."""
        ...

    def drop(self) -> None:
        """Closes it at once."""
        ...


class Connections:
    """All open connections, in the order in which they came."""

    def __init__(self, limits: ClientLimits | None = None) -> None:
        self.limits = limits or ClientLimits()
        # Dictionaries keep the order, which sets do not.
        self._strangers: dict[Client, None] = {}
        self._signed_in: dict[Client, None] = {}

    def __len__(self) -> int:
        return len(self._strangers) + len(self._signed_in)

    def __iter__(self) -> Iterator[Client]:
        return chain(self._strangers, self._signed_in)

    def opened(self, client: Client) -> None:
        """Adds a connection, and drops another where there are too many."""
        self._strangers[client] = None
        if len(self._strangers) > self.limits.strangers or len(self) > self.limits.connections:
            self._drop(self._spare(client))

    def closed(self, client: Client) -> None:
        self._strangers.pop(client, None)
        self._signed_in.pop(client, None)

    def answered(self, client: Client) -> None:
        """Keeps a connection with those of the signed in, if a request of it was one of theirs."""
        if client in self._strangers and client.signed_in:
            del self._strangers[client]
            self._signed_in[client] = None

    def drop_overdue(self, now: float) -> None:
        """Drops all whose clients keep the server waiting for too long. now: the loop's time in seconds."""
        for client in [client for client in self if client.overdue(now)]:
            self._drop(client)

    def drop_waiting(self, most: int) -> None:
        """Drops up to `most` strangers that wait for their clients."""
        for client in [client for client in self._strangers if not client.answering][:most]:
            self._drop(client)

    def _spare(self, newest: Client) -> Client:
        """The one that makes room: a stranger that waits, or an idle one where all are too many, or the newest."""
        for client in list(self._strangers):
            # One whose first request is still being answered.
            self.answered(client)
            if client in self._strangers and client is not newest and not client.answering:
                return client
        if len(self) > self.limits.connections:
            for client in self._signed_in:
                if not client.answering:
                    return client
        return newest

    def _drop(self, client: Client) -> None:
        self.closed(client)
        client.drop()
