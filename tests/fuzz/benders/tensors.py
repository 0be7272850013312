"""Files of tensors: the header of safetensors, and pickles of torch with other opcodes, records and compression."""

import io
import json
import pickle
import struct
import zipfile
from random import Random

from .archives import zipped
from .documents import bend_document
from .raw import EXTREME_LONG_NUMBERS, bend_bytes

DTYPES = ("F64", "F32", "F16", "BF16", "I64", "I8", "U8", "BOOL", "F8_E4M3", "X", "")


def bend_safetensors(rng: Random, data: bytes) -> tuple[bytes, str]:
    draw = rng.random()
    if draw < 0.35:
        return bend_bytes(rng, data)
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    way = rng.randrange(6)
    names = [name for name in header if name != "__metadata__"]
    name = rng.choice(names)
    if way == 0:
        number = rng.choice((*EXTREME_LONG_NUMBERS, length - 1, length + 1, len(data)))
        return struct.pack("<Q", number & ((1 << 64) - 1)) + data[8:], f"header of {number} bytes"
    if way == 1:
        text, how = bend_document(rng, header)
        return struct.pack("<Q", len(text)) + text + body, f"header: {how}"
    if way == 2:
        header[name]["dtype"] = rng.choice(DTYPES)
        how = f"{name} of type {header[name]['dtype']}"
    elif way == 3:
        header[name]["shape"] = rng.choice(([], [0], [-1], [1 << 62, 4], [1 << 40], header[name]["shape"][::-1]))
        how = f"{name} of shape {header[name]['shape']}"
    elif way == 4:
        begin, end = header[name]["data_offsets"]
        header[name]["data_offsets"] = rng.choice(
            ([begin, end + 2], [end, begin], [0, 0], [0, len(body)], [begin, 1 << 63], [-1, end])
        )
        how = f"{name} at {header[name]['data_offsets']}"
    else:
        # NaN, infinity or a large number in place of a weight.
        begin, end = header[name]["data_offsets"]
        bent = bytearray(body)
        bent[begin : min(end, begin + 4)] = rng.choice(
            (b"\xff\x7f\xff\x7f", b"\x00\x7c\x00\x7c", b"\xff\x7b\xff\x7b")
        )
        body, how = bytes(bent), f"the first numbers of {name}"
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body, how


class _Command:
    """Unpickled, it would make a file named `owned` in the current folder."""

    def __reduce__(self) -> tuple[object, ...]:
        return (open, ("owned", "w"))


def bend_pth(rng: Random, data: bytes) -> tuple[bytes, str]:
    draw = rng.random()
    if draw < 0.35:
        return bend_bytes(rng, data)
    if draw < 0.42:
        legacy = rng.choice(
            (
                pickle.dumps(_Command()),
                pickle.dumps({"a": 1}),
                pickle.dumps([1] * 9, 0),
                b"\x80\x02.",
                b"not a pickle",
            )
        )
        return legacy, f"a bare pickle of {len(legacy)} bytes"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    index = next(at for at, (name, _) in enumerate(entries) if name.endswith("data.pkl"))
    other = rng.randrange(len(entries))
    name, content = entries[index]
    compression = zipfile.ZIP_STORED
    way = rng.randrange(6)
    if way <= 1:
        bent, how = bend_bytes(rng, content)
        entries[index] = (name, bent)
        how = f"data.pkl: {how}"
    elif way == 2:
        entries[index] = (name, pickle.dumps(_Command(), 2))
        how = "data.pkl that calls a function"
    elif way == 3:
        compression, how = zipfile.ZIP_DEFLATED, "compressed records"
        if rng.random() < 0.5:
            entries[other] = (entries[other][0], bytes(300_000_000))
            how += f", {entries[other][0]} of 300 million zeros"
    elif way == 4:
        how = f"{entries.pop(other)[0]} removed"
    else:
        bent, how = bend_bytes(rng, entries[other][1] or b"\0")
        entries[other] = (entries[other][0], bent)
        how = f"{entries[other][0]}: {how}"
    return zipped(entries, compression), how
