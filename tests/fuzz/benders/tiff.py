"""TIFF directories: entries with other tags, types, counts and values, loops, and missing ones."""

import struct
from random import Random

from .raw import EXTREME_LONG_NUMBERS, EXTREME_NUMBERS, bend_bytes

# What decides how pixels are laid out, and some that say how they are to be taken.
TAGS = (254, 256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 282, 283, 284, 296, 317, 320, 322, 323, 324, 325,
        330, 338, 339, 340, 341, 347, 34665, 700)  # fmt: skip


def bend_tiff(rng: Random, data: bytes) -> tuple[bytes, str]:
    if rng.random() < 0.35:
        return bend_bytes(rng, data)
    bent = bytearray(data)
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack(order + "H", data[2:4])[0] == 43
    word, count_code, numbers = ("Q", "Q", EXTREME_LONG_NUMBERS) if big else ("I", "H", EXTREME_NUMBERS)
    (first,) = struct.unpack_from(order + word, data, 8 if big else 4)
    (entries,) = struct.unpack_from(order + count_code, data, first)
    size, head = (20, 8) if big else (12, 2)
    start = first + head
    entry = start + size * rng.randrange(entries)
    tag, kind = struct.unpack_from(order + "HH", data, entry)
    value_at, most = entry + (12 if big else 8), (1 << 64 if big else 1 << 32) - 1
    way = rng.randrange(8)
    if way <= 2:
        number = rng.choice((*numbers, 2, 3, 4, 8, 16, 32, 64, 5000, 10_000, 32_946, len(data), len(data) - 1))
        struct.pack_into(order + word, bent, value_at, number & most)
        if kind == 3 and order == ">":
            struct.pack_into(">H", bent, value_at, number & 0xFFFF)
        return bytes(bent), f"tag {tag} = {number}"
    if way == 3:
        number = rng.choice(numbers)
        struct.pack_into(order + word, bent, entry + 4, number & most)
        return bytes(bent), f"tag {tag} has {number} values"
    if way == 4:
        other = rng.choice((0, *range(1, 19), 255))
        struct.pack_into(order + "H", bent, entry + 2, other)
        return bytes(bent), f"tag {tag} of type {other}"
    if way == 5:
        other = rng.choice(TAGS)
        struct.pack_into(order + "H", bent, entry, other)
        return bytes(bent), f"tag {tag} as {other}"
    if way == 6:
        following = start + size * entries
        target = rng.choice((first, start, entry, len(data) - 4, *numbers))
        struct.pack_into(order + word, bent, following, target & most)
        return bytes(bent), f"the next directory at {target}"
    number = rng.choice((0, 1, entries - 1, entries + 1, 1000, 65_535))
    struct.pack_into(order + count_code, bent, first, number)
    return bytes(bent), f"{number} entries"
