"""Credentials for a PACS, from the environment alone: arguments would show in process lists and shell histories."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from dentasam.errors import PacsError

TOKEN, USER, PASSWORD = "DENTASAM_PACS_TOKEN", "DENTASAM_PACS_USER", "DENTASAM_PACS_PASSWORD"


@dataclass(frozen=True)
class Credentials:
    """header: the value of Authorization, never shown. source: the variables it is from, for messages."""

    header: str = field(repr=False)
    source: str


def credentials_in(environment: Mapping[str, str]) -> Credentials | None:
    """A bearer token or a user with a password; None where no variable is set.

    Raises PacsError where both kinds are set, one half is missing, or a value cannot stand in a header.
    """
    token, user, password = (environment.get(name, "") for name in (TOKEN, USER, PASSWORD))
    if token and (user or password):
        raise PacsError(f"both {TOKEN} and {USER} or {PASSWORD} are set; unset one kind")
    if token:
        if not token.isascii() or not token.isprintable() or " " in token:
            raise PacsError(f"{TOKEN} holds a space, a line break or a character that no token has; set it again")
        return Credentials(f"Bearer {token}", TOKEN)
    if not user and not password:
        return None
    if not user or not password:
        raise PacsError(f"only one of {USER} and {PASSWORD} is set; set both")
    if ":" in user or not (user + password).isprintable():
        raise PacsError(f"{USER} holds a colon, or it or {PASSWORD} a line break; set them again")
    coded = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Credentials(f"Basic {coded}", f"{USER} and {PASSWORD}")
