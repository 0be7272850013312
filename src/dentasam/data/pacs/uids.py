"""DICOM UIDs that a server names: checked before they become part of an address or of a file's name."""

import re
from typing import Any

# PS3.5 9.1, but for leading zeros in a component, which some devices write.
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
MAX_LENGTH = 64


def is_uid(value: Any) -> bool:
    """Whether a value is a UID: digits and single dots alone, so that no path can be made of it."""
    return isinstance(value, str) and len(value) <= MAX_LENGTH and _UID.fullmatch(value) is not None
