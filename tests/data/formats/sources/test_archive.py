"""Unpacking archives: what is in them comes out, and nothing leaves the folder, whatever the archive says."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from dentasam.data.formats.sources.archive import Limits, is_archive, unpack
from dentasam.errors import DatasetError, OutputError
from dentasam.files.atomic_write import write_atomically

KINDS = ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"]
NOISE = np.random.default_rng(0).bytes(700_000)
FILES = {"set/images/1.png": NOISE, "set/images/Zähne/2.png": b"two", "set/dataset.json": b"{}", "set/empty": b""}
COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
}
UNSAFE = [
    "../slip",
    "/tmp/slip",
    "a/../../slip",
    "C:\\slip",
    "c:slip",
    "..\\slip",
    "a\\..\\..\\slip",
    "\\\\host\\slip",
]
UNSAFE += ["a/sl\nip", "..", "/"]


def pack(path: Path, files: dict[str, bytes] | list[tuple[str, bytes]], kind: str) -> Path:
    """Writes an archive of the kind with the names as they are given."""
    items = files.items() if isinstance(files, dict) else files
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in items:
                info = zipfile.ZipInfo("x")
                info.filename, info.compress_type = name, zipfile.ZIP_DEFLATED
                archive.writestr(info, content)
    else:
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w") as tar:
            for name, content in items:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        path.write_bytes(COMPRESSED[kind](plain.getvalue()))
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusal(archive: Path, into: Path, **options: Limits) -> str:
    """The one line with which an archive is refused."""
    with pytest.raises(DatasetError) as caught:
        unpack(archive, into, **options)  # type: ignore[arg-type]
    assert str(caught.value).startswith(str(archive))
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(archive))


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_comes_out_as_it_went_in(tmp_path: Path, kind: str) -> None:
    archive = pack(tmp_path / "download", FILES, kind)
    assert is_archive(archive)
    seen: list[tuple[int, int]] = []
    folder = unpack(archive, tmp_path / "a" / "into", lambda done, total: seen.append((done, total)))
    assert folder == tmp_path / "a" / "into" / "set"
    assert tree(tmp_path / "a" / "into") == FILES
    size = archive.stat().st_size
    assert seen == sorted(seen)
    assert seen[-1] == (size, size)


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_itself_is_returned_where_files_lie_at_the_top(tmp_path: Path, kind: str) -> None:
    for number, files in enumerate([{"1.png": b"1"}, {"a/1": b"1", "b/2": b"2"}, {"a/1": b"1", "a.txt": b"2"}]):
        into = tmp_path / str(number)
        assert unpack(pack(tmp_path / "x", files, kind), into) == into
        assert tree(into) == files


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name",
    [
        "../slip",
        "/tmp/slip",
        "a/../../slip",
        "C:\\slip",
        "c:slip",
        "..\\slip",
        "a\\..\\..\\slip",
        "\\\\host\\slip",
        "a/sl\nip",
    ],
)
def test_names_that_lead_out_of_the_folder_are_passed_over(tmp_path: Path, kind: str, name: str) -> None:
    into = tmp_path / "deep" / "into"
    lines: list[str] = []
    unpack(pack(tmp_path / "x", {name: b"bad", "good": b"good"}, kind), into, report=lines.append)
    assert tree(tmp_path / "deep") == {"into/good": b"good"}
    assert len(lines) == 1
    assert "passed over unsafe names (1), such as " in lines[0]
    assert "\n" not in lines[0]


@pytest.mark.parametrize("kind", KINDS)
def test_backslashes_stand_between_folders(tmp_path: Path, kind: str) -> None:
    unpack(pack(tmp_path / "x", {"images\\a\\1.png": b"1", "./images//2.png": b"2"}, kind), tmp_path / "into")
    assert tree(tmp_path / "into") == {"images/a/1.png": b"1", "images/2.png": b"2"}


def test_links_and_devices_of_a_tar_are_passed_over(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with tarfile.open(tmp_path / "x", "w") as archive:
        for name, kind, target in [
            ("link", tarfile.SYMTYPE, str(outside)),
            ("hard", tarfile.LNKTYPE, "/etc/passwd"),
            ("pipe", tarfile.FIFOTYPE, ""),
            ("device", tarfile.CHRTYPE, ""),
        ]:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
        through = tarfile.TarInfo("link/slip")
        through.size, through.mode = 1, 0o6777
        archive.addfile(through, io.BytesIO(b"1"))
    lines: list[str] = []
    unpack(tmp_path / "x", tmp_path / "into", report=lines.append)
    assert tree(tmp_path / "into") == {"link/slip": b"1"}
    assert list(outside.iterdir()) == []
    assert not (tmp_path / "into" / "link" / "slip").stat().st_mode & (stat.S_ISUID | stat.S_IXUSR)
    assert [line.split(": ")[1] for line in lines] == [
        "passed over links (2), such as 'link'",
        "passed over devices (2), such as 'pipe'",
    ]


def test_links_of_a_zip_are_passed_over(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc")
        archive.writestr("link/slip", "1")
    unpack(tmp_path / "x", tmp_path / "into")
    assert tree(tmp_path / "into") == {"link/slip": b"1"}


def test_a_link_that_lies_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "into").mkdir()
    (tmp_path / "into" / "images").symlink_to(tmp_path / "outside")
    archive = pack(tmp_path / "x", {"images/1.png": b"1"}, "zip")
    assert "through a link" in refusal(archive, tmp_path / "into")
    assert tree(tmp_path / "outside") == {}


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_of_equal_names_is_kept(tmp_path: Path, kind: str) -> None:
    archive = pack(tmp_path / "x", [("a/1", b"first"), ("a//1", b"second"), ("b", b"b")], kind)
    lines: list[str] = []
    for _ in range(2):
        unpack(archive, tmp_path / "into", report=lines.append)
        assert tree(tmp_path / "into") == {"a/1": b"first", "b": b"b"}
    wanted = "passed over names that another member has (1), such as 'a//1'"
    assert [line.split(": ")[1] for line in lines] == [wanted] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_names_that_the_file_system_does_not_tell_apart_are_passed_over(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"A/é.png": b"1", "a/e\u0301.PNG": b"2", "A/É.png": b"3"}
    archive = pack(tmp_path / "x", files, kind)
    for _ in range(2):
        unpack(archive, tmp_path / "into")
        assert tree(tmp_path / "into") == files
    # A file system like that of macOS.
    monkeypatch.setattr(Path, "samefile", lambda own, other: True)
    monkeypatch.setattr(Path, "exists", lambda own: True)
    lines: list[str] = []
    unpack(archive, tmp_path / "other", report=lines.append)
    assert tree(tmp_path / "other") == {"A/é.png": b"1"}
    assert "passed over names that another member has (2)" in lines[0]


def test_what_systems_add_is_left_out(tmp_path: Path) -> None:
    files = {
        "set/1.png": b"1",
        "__MACOSX/set/._1.png": b"x",
        "set/.DS_Store": b"x",
        "Thumbs.db": b"x",
        "set/._1.png": b"x",
    }
    lines: list[str] = []
    folder = unpack(pack(tmp_path / "x", files, "zip"), tmp_path / "into", report=lines.append)
    assert (tree(folder), lines) == ({"1.png": b"1"}, [])


def test_names_in_other_encodings(tmp_path: Path) -> None:
    def zipped(raw: bytes, extra: bytes = b"") -> str:
        path = tmp_path / "x"
        with zipfile.ZipFile(path, "w") as archive:
            info = zipfile.ZipInfo("n" * len(raw))
            info.extra = extra
            archive.writestr(info, "1")
        path.write_bytes(path.read_bytes().replace(b"n" * len(raw), raw))
        into = tmp_path / raw.hex() / str(len(extra))
        unpack(path, into)
        (name,) = tree(into)
        return name

    assert zipped("Zähne.png".encode()) == "Zähne.png"
    assert zipped("Zähne.png".encode("cp437")) == "Zähne.png"
    raw, name = "зуб.png".encode("cp866"), "зуб.png".encode()
    field = struct.pack("<HHBI", 0x7075, 5 + len(name), 1, zlib.crc32(raw)) + name
    assert zipped(raw, field) == "зуб.png"

    with tarfile.open(tmp_path / "t", "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        archive.addfile(tarfile.TarInfo("Zähne"))
    unpack(tmp_path / "t", tmp_path / "into")
    assert set(tree(tmp_path / "into")) == {"Zähne"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (Limits(members=2), "has more than 2 members"),
        (Limits(file_bytes=50_000), "'b' is larger than 50000 bytes"),
        (Limits(total_bytes=120_000), "'c' brings the files above 120000 bytes"),
        (Limits(free_bytes=1000, ratio=3), "times the archive's size"),
    ],
)
def test_bombs_are_stopped(tmp_path: Path, kind: str, limits: Limits, what: str) -> None:
    archive = pack(tmp_path / "x", {"a": b"", "b": bytes(100_000), "c": bytes(40_000)}, kind)
    if kind == "tar" and limits.ratio == 3:
        assert set(tree(unpack(archive, tmp_path / "into", limits=limits))) == {"a", "b", "c"}
        return
    assert what in refusal(archive, tmp_path / "into", limits=limits)
    written = tree(tmp_path / "into")
    assert set(written) <= {"a", "b"}
    assert not [name for name in written if name.endswith(".part")]


@pytest.mark.parametrize("stated", [10, 1_000_010])
def test_the_bytes_count_and_not_what_a_zip_states(tmp_path: Path, stated: int) -> None:
    path = pack(tmp_path / "x", {"bomb": bytes(1_000_000)}, "zip")
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 1_000_000), struct.pack("<I", stated)))
    assert "'bomb' is damaged or cut off" in refusal(path, tmp_path / "into")
    assert tree(tmp_path / "into") == {}


def test_a_large_header_of_a_tar_is_not_read(tmp_path: Path) -> None:
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 10**9
    with gzip.open(tmp_path / "x", "wb") as file:
        file.write(member.tobuf() + bytes(30_000_000))
    tracemalloc.start()
    try:
        assert "damaged" in refusal(tmp_path / "x", tmp_path / "into")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_that_is_cut_anywhere_is_refused(tmp_path: Path, kind: str) -> None:
    files = {f"set/{number}.png": NOISE[number * 900 : number * 1000 + 900] for number in range(6)}
    whole = pack(tmp_path / "whole", files, kind).read_bytes()
    used = len(whole) if kind != "tar" else 512 * sum(1 + -(-len(content) // 512) for content in files.values())
    for cut in [*range(1, used, max(1, used // 40)), used - 1]:
        (tmp_path / "x").write_bytes(whole[:cut])
        assert "; " in refusal(tmp_path / "x", tmp_path / "into")
    assert all(files[name] == content for name, content in tree(tmp_path / "into").items())
    assert tree(unpack(tmp_path / "whole", tmp_path / "into")) == {name[4:]: files[name] for name in files}


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_that_is_damaged_anywhere_never_ends_in_another_error(tmp_path: Path, kind: str) -> None:
    files = {f"set/{number}.png": NOISE[number * 900 : number * 1000 + 900] for number in range(4)}
    whole = bytearray(pack(tmp_path / "whole", files, kind).read_bytes())
    rng = np.random.default_rng(0)
    refused: list[str] = []
    for attempt in range(150):
        damaged = whole.copy()
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] ^= int(rng.integers(1, 256))
        (tmp_path / "x").write_bytes(damaged)
        try:
            unpack(tmp_path / "x", tmp_path / str(attempt))
        except DatasetError as error:
            refused.append(str(error))
    assert not [line for line in refused if "\n" in line]
    # A tar has checksums of its headers only.
    assert len(refused) > (10 if kind == "tar" else 120)


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_call_writes_what_is_missing_only(tmp_path: Path, kind: str) -> None:
    archive, into = pack(tmp_path / "x", FILES, kind), tmp_path / "into"
    unpack(archive, into)
    kept = (into / "set/images/1.png").stat().st_ino
    (into / "set/dataset.json").write_bytes(b"{")
    (into / "set/empty").unlink()
    (into / "set/images/.2.png.1.2.part").write_bytes(b"of a killed call")
    assert unpack(archive, into) == into / "set"
    assert tree(into) == FILES
    assert (into / "set/images/1.png").stat().st_ino == kept


@pytest.mark.parametrize("kind", KINDS)
def test_unpacking_ends_before_any_member_or_part_of_one(tmp_path: Path, kind: str) -> None:
    archive, into = pack(tmp_path / "x", FILES, kind), tmp_path / "into"
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1

    unpack(archive, tmp_path / "all", check=check)
    # Each member, each part of it, and its end: the noise has three parts.
    assert calls >= 2 * len(FILES) + 3
    for last in range(calls):
        left, into = iter(range(last)), tmp_path / f"{last}"

        def gone(left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise DatasetError("gone")

        with pytest.raises(DatasetError, match="gone"):
            unpack(archive, into, check=gone)
        assert all(FILES[name] == content for name, content in tree(into).items())
    unpack(archive, into)
    assert tree(into) == FILES


def test_small_files_are_made_without_a_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drafts: list[Path] = []

    def counted(path: Path) -> AbstractContextManager[Path]:
        drafts.append(path)
        return write_atomically(path)

    monkeypatch.setattr("dentasam.data.formats.sources.archive.write_atomically", counted)
    members = {f"d/{number}": b"x" * (number % 3) for number in range(50)}
    unpack(pack(tmp_path / "x", members | FILES, "zip"), tmp_path / "into")
    assert tree(tmp_path / "into") == members | FILES
    assert [path.name for path in drafts] == ["1.png"]


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"kept")
    (tmp_path / "into").mkdir()
    (tmp_path / "into" / "a").symlink_to(outside)
    unpack(pack(tmp_path / "x", {"a": b"new", "b": b"1"}, "zip"), tmp_path / "into")
    assert outside.read_bytes() == b"kept"
    assert tree(tmp_path / "into") == {"a": b"new", "b": b"1"}


def test_a_disk_that_is_full_leaves_no_part_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, content: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    def opened(made: int, *_: object, **__: object) -> Full:
        os.close(made)
        return Full()

    monkeypatch.setattr("dentasam.data.formats.sources.archive.open", opened, raising=False)
    with pytest.raises(OutputError, match="No space left"):
        unpack(pack(tmp_path / "x", {"a": b"new"}, "zip"), tmp_path / "into")
    assert tree(tmp_path / "into") == {}


def test_a_file_of_a_zip_with_other_content_is_written_again(tmp_path: Path) -> None:
    archive, into = pack(tmp_path / "x", FILES, "zip"), tmp_path / "into"
    unpack(archive, into)
    (into / "set/images/1.png").write_bytes(bytes(len(NOISE)))
    unpack(archive, into)
    assert tree(into) == FILES


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "x", {"secret": b"1"}, "zip")
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert refusal(path, tmp_path / "into") == ": 'secret' is encrypted; unpack it yourself and name the folder"


def test_a_method_of_compression_that_is_not_read(tmp_path: Path) -> None:
    path = pack(tmp_path / "x", {"odd": b"1"}, "zip")
    content = bytearray(path.read_bytes())
    content[8] = content[content.index(b"PK\x01\x02") + 10] = 98  # PPMd
    path.write_bytes(content)
    assert "'odd' is compressed by a method that is not read" in refusal(path, tmp_path / "into")


def test_a_name_that_is_a_file_and_a_folder(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x", [("a", b"1"), ("a/b", b"2")], "tar")
    assert "'a/b' cannot have this name here" in refusal(archive, tmp_path / "into")
    archive = pack(tmp_path / "y", {"n" * 300: b"1"}, "zip")
    assert "cannot have this name here (File name too long)" in refusal(archive, tmp_path / "other")


def test_an_archive_without_files(tmp_path: Path) -> None:
    assert refusal(pack(tmp_path / "x", {}, "zip"), tmp_path / "into") == " holds no file; choose another archive"
    assert "holds no file" in refusal(pack(tmp_path / "x", {"../a": b"1"}, "tar.gz"), tmp_path / "into")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "into").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="cannot be written"):
        unpack(pack(tmp_path / "x", FILES, "zip"), tmp_path / "into")


def test_a_path_that_is_a_file_is_not_a_folder_to_unpack_into(tmp_path: Path) -> None:
    (tmp_path / "into").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        unpack(pack(tmp_path / "x", FILES, "zip"), tmp_path / "into")


def test_other_files_are_not_archives(tmp_path: Path) -> None:
    path = tmp_path / "dataset.zip"
    contents = [b"", b"{}", bytes(10240), b"PK", *(compress(NOISE[:2000]) for compress in COMPRESSED.values())]
    for content in contents:
        path.write_bytes(content)
        assert not is_archive(path)
        assert "is not a ZIP or tar archive" in refusal(path, tmp_path / "into")
    assert not is_archive(tmp_path)
    assert not is_archive(tmp_path / "missing")


@pytest.mark.parametrize(("start", "name"), [(b"Rar!\x1a\x07\x01\x00", "RAR"), (b"7z\xbc\xaf\x27\x1c\x00", "7z")])
def test_archives_of_other_kinds_are_named(tmp_path: Path, start: bytes, name: str) -> None:
    (tmp_path / "x").write_bytes(start)
    assert is_archive(tmp_path / "x")
    assert f"is a {name} archive, which is not read; unpack it yourself" in refusal(tmp_path / "x", tmp_path / "into")
