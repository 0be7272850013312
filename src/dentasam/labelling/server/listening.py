"""The socket that the server listens on, and which machines its address is open to."""

from __future__ import annotations

import errno
import socket

from dentasam.errors import DentasamError
from dentasam.loopback import is_loopback


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises DentasamError for a host that is not an address of this machine, and a port that is in use or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError):
        raise DentasamError(
            f"--host {host} is not an address; use 127.0.0.1, 0.0.0.0 or one of this machine"
        ) from None
    try:
        # Without it a restart within a minute would find its own port still taken.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise DentasamError(f"port {port} on {host} is in use; choose another --port, 0 for a free one") from None
        if error.errno == errno.EACCES:
            raise DentasamError(f"port {port} may not be opened by this user; choose one above 1023") from None
        raise DentasamError(f"cannot listen on {host}, port {port} ({error.strerror}); check --host") from None
    return listening


def check_reach(host: str, annotators: list[str]) -> None:
    """Raises DentasamError if other machines could reach a server on which nobody has to sign in."""
    if not is_loopback(host) and not annotators:
        raise DentasamError(
            f"--host {host} lets other machines in, so annotators must sign in; "
            "first name them: dentasam label DIR --add-annotator NAME"
        )
