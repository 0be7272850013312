"""ZIP and TAR archives with entries that leave the folder, lie about their size, or are no files."""

import io
import struct
import tarfile
import zipfile
from random import Random

from .raw import EXTREME_NUMBERS, bend_bytes

NAMES = ("../evil.json", "/etc/evil", "a/../b", "C:\\evil", "..\\..\\evil", "x" * 300, "a\x1b[31m", "a\u202eb", "con",
         "images", "", ".", "a//b", "nul\x00l", "Images/PHANTOM-00000.PNG", "é.png")  # fmt: skip


def zipped(entries: list[tuple[str, bytes]], compression: int) -> bytes:
    """A ZIP of these names and contents, which may be any; the same bytes each time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return file.getvalue()


def bend_zip(rng: Random, data: bytes) -> tuple[bytes, str]:
    draw = rng.random()
    if draw < 0.35:
        return bend_bytes(rng, data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    index = rng.randrange(len(entries))
    name, content = entries[index]
    way = rng.randrange(7)
    if way == 0:
        entries[index] = (rng.choice(NAMES), content)
        how = f"{name} named {entries[index][0][:30]!r}"
    elif way == 1:
        bent, how = bend_bytes(rng, content)
        entries[index] = (name, bent)
        how = f"{name}: {how}"
    elif way == 2:
        entries.append(entries[index])
        how = f"{name} twice"
    elif way == 3:
        size = rng.choice((1_000_000, 400_000_000))
        entries.append(("images/bomb.png", bytes(size)))
        how = f"an entry of {size} zeros"
    elif way == 4:
        inner = zipped(entries, zipfile.ZIP_DEFLATED)
        entries = [("inner.zip", inner)]
        how = "an archive in an archive"
    elif way == 5:
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, 0o120777 << 16
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(info, b"/etc/passwd")
            for other, other_content in entries:
                if other != name:
                    archive.writestr(zipfile.ZipInfo(other), other_content)
        return file.getvalue(), f"{name} as a link to /etc/passwd"
    else:
        entries += [(f"images/{number}.txt", b"") for number in range(3000)]
        how = "3000 empty entries"
    packed = bytearray(zipped(entries, zipfile.ZIP_DEFLATED))
    if rng.random() < 0.3:
        at = packed.rfind(b"PK\x01\x02")
        field = rng.choice((8, 10, 16, 20, 24, 28, 42))
        number = rng.choice(EXTREME_NUMBERS)
        struct.pack_into("<I", packed, at + field, number)
        how += f", directory field {field} = {number}"
    return bytes(packed), how


def bend_tar(rng: Random, data: bytes) -> tuple[bytes, str]:
    if rng.random() < 0.4:
        return bend_bytes(rng, data)
    source = tarfile.open(fileobj=io.BytesIO(data))  # noqa: SIM115
    members = source.getmembers()
    chosen = rng.randrange(len(members))
    way = rng.randrange(5)
    how = ""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=rng.choice(("w", "w:gz", "w:xz")), format=tarfile.PAX_FORMAT) as target:
        for index, member in enumerate(members):
            content = source.extractfile(member)
            member.mtime = 0
            if index == chosen:
                how = member.name
                if way == 0:
                    member.name = rng.choice(NAMES).replace("\x00", "") or "x"
                    how += f" named {member.name[:30]!r}"
                elif way == 1:
                    member.type = rng.choice((tarfile.SYMTYPE, tarfile.LNKTYPE))
                    member.linkname = rng.choice(("/etc/passwd", "../../x", "phantoms.json", member.name))
                    member.size = 0
                    how += f" as a link to {member.linkname}"
                elif way == 2:
                    member.type = rng.choice((tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, b"Z"))
                    member.size = 0
                    how += f" of type {member.type!r}"
                elif way == 3:
                    member.pax_headers = {
                        "size": str(rng.choice((-1, 1 << 62))),
                        "path": rng.choice(NAMES)[:90] or "x",
                    }
                    how += f" with headers {member.pax_headers}"
                else:
                    content = io.BytesIO(bytes(300_000_000))
                    member.size = 300_000_000
                    how += " of 300 million zeros"
            target.addfile(member, content if member.isreg() else None)
    return file.getvalue(), how
