"""The orientation tag of EXIF and TIFF: it is never applied, and always reported.

Masks, clicks and boxes refer to the pixels as the file stores them. A viewer or an annotation tool that applies the
tag shows another picture; masks drawn on it do not fit here, and for half of the tags the size does not show it.
"""

from pathlib import Path

from dentasam.data.notices import notice

# What a viewer that applies the tag does to the stored pixels (TIFF 6.0, Orientation; EXIF 2.3 the same).
_TURNS = {
    2: "mirrored left to right",
    3: "turned by 180 degrees",
    4: "mirrored top to bottom",
    5: "mirrored and turned on its side",
    6: "turned by 90 degrees clockwise",
    7: "mirrored and turned on its side",
    8: "turned by 90 degrees counterclockwise",
}
ON_ITS_SIDE = (5, 6, 7, 8)
UPRIGHT = "save the image upright without the tag, as the masks need it"
FIX_OF_TAG = (
    "where the masks were drawn on the picture as viewers show it, save the image upright without the tag; "
    "where they fit the pixels as stored, remove the tag"
)


def report_orientation(path: Path, orientation: int) -> None:
    """Reports a tag other than 1 once for the file."""
    if orientation in _TURNS:
        notice(path, not_applied(orientation))


def not_applied(orientation: int) -> str:
    """The tag's meaning, and that it is not applied; empty for 1."""
    if orientation not in _TURNS:
        return ""
    tag = f"has the orientation tag {orientation}, which is not applied"
    return f"{tag}: the pixels are taken as stored, while viewers show them {_TURNS[orientation]}"


def wrong_size(name: str, stored: tuple[int, ...], wanted: tuple[int, int], orientation: int) -> tuple[str, str]:
    """What is wrong, and the fix, where a dataset gives another size (height, width) than the file has."""
    what = f"{name} has {stored[1]}x{stored[0]} pixels, the dataset says {wanted[1]}x{wanted[0]}"
    if orientation in ON_ITS_SIDE and stored == wanted[::-1]:
        turned = f"its orientation tag {orientation} is not applied, and the masks were drawn on the turned picture"
        return f"{what}: {turned}", UPRIGHT
    return what, "put the right file there or correct the size"
