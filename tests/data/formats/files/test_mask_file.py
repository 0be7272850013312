"""Masks and labels as other tools write them into PNG: the pixels of the object, or a refusal that is true."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dentasam.data.formats.files.mask_file import read_labels, read_mask
from dentasam.data.formats.files.png_samples import read_samples
from dentasam.errors import DatasetError, ImageError

from ...coco_files import FILLING, HEIGHT, TOOTH, WIDTH, block

MASK = TOOTH.astype(np.uint8) * 255
WHITE, BLACK = np.full((HEIGHT, WIDTH), 255, np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)


def png(path: Path, bits: int, colour: int, rows: np.ndarray, *chunks: tuple[bytes, bytes]) -> Path:
    """A PNG byte by byte, so that its depth is what the test says: rows (H, bytes) as they are packed."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *(chunk(*given) for given in chunks), chunk(b"IDAT", zlib.compress(raw))]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b""))
    return path


def packed(values: np.ndarray, bits: int) -> np.ndarray:
    places = np.unpackbits(values[..., None].astype(np.uint8), axis=2)[..., 8 - bits :]
    return np.packbits(places.reshape(len(values), -1), axis=1)


def saved(path: Path, *channels: np.ndarray, mode: str) -> Path:
    Image.fromarray(np.squeeze(np.dstack(channels)), mode).save(path)
    return path


def palette(path: Path, indices: np.ndarray, colours: list[int], **options: object) -> Path:
    image = Image.fromarray(indices.astype(np.uint8), "P")
    image.putpalette(colours + [90, 90, 90] * (256 - len(colours) // 3))
    image.save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    ("mode", "channels"),
    [
        ("L", [MASK]),
        ("L", [MASK // 255]),
        ("L", [MASK // 255 * 7]),
        ("RGB", [MASK // 2, BLACK, BLACK]),
        ("LA", [MASK, WHITE]),
        ("LA", [WHITE, MASK]),
        ("LA", [BLACK, MASK]),
        ("LA", [MASK, MASK]),
        ("LA", [WHITE, MASK // 2]),
        ("RGBA", [MASK, BLACK, BLACK, WHITE]),
        ("RGBA", [WHITE, WHITE, WHITE, MASK]),
        ("RGBA", [BLACK, BLACK, BLACK, MASK]),
        ("RGBA", [WHITE, BLACK, BLACK, MASK]),
        ("RGBA", [MASK, BLACK, MASK, MASK]),
        # A red object on white, of which the white is transparent.
        ("RGBA", [WHITE, 255 - MASK, 255 - MASK, MASK]),
        ("RGBA", [MASK, MASK, MASK, BLACK]),
    ],
)
def test_colour_or_alpha_has_the_object(tmp_path: Path, mode: str, channels: list[np.ndarray]) -> None:
    mask, cut = read_mask(saved(tmp_path / "36.png", *channels, mode=mode))
    np.testing.assert_array_equal(mask, TOOTH)
    assert not cut


@pytest.mark.parametrize(
    ("mode", "channels"),
    [
        ("LA", [MASK, FILLING.astype(np.uint8) * 255]),
        ("RGBA", [MASK, MASK, MASK, 255 - MASK]),
    ],
)
def test_colour_and_alpha_that_contradict_each_other_are_refused(
    tmp_path: Path, mode: str, channels: list[np.ndarray]
) -> None:
    with pytest.raises(DatasetError, match=r"36\.png: its colour and its alpha channel show different objects; save"):
        read_mask(saved(tmp_path / "36.png", *channels, mode=mode))


def test_a_soft_alpha_edge_is_cut_at_half(tmp_path: Path) -> None:
    soft = cv2.GaussianBlur(MASK, (5, 5), 1)
    mask, _ = read_mask(saved(tmp_path / "36.png", WHITE, WHITE, WHITE, soft, mode="RGBA"))
    np.testing.assert_array_equal(mask, soft > 127)
    mask, _ = read_mask(saved(tmp_path / "36.png", np.where(soft, WHITE, 0), BLACK, BLACK, soft, mode="RGBA"))
    np.testing.assert_array_equal(mask, soft > 127)


@pytest.mark.parametrize("colour", [2, 6])
def test_sixteen_bit_colour_keeps_its_lowest_bit(tmp_path: Path, colour: int) -> None:
    """One part in 65535 is an object too, though eight bits would not hold it."""
    channels = [TOOTH, BLACK, BLACK] + ([WHITE] if colour == 6 else [])
    rows = np.dstack(channels).astype(">u2").reshape(HEIGHT, -1)
    mask, _ = read_mask(png(tmp_path / "36.png", 16, colour, rows))
    np.testing.assert_array_equal(mask, TOOTH)
    gray = png(tmp_path / "37.png", 16, 0, TOOTH.astype(">u2"))
    np.testing.assert_array_equal(read_mask(gray)[0], TOOTH)


@pytest.mark.parametrize(
    ("colours", "options"),
    [
        ([0, 0, 0, 255, 255, 255], {}),
        ([255, 255, 255, 255, 0, 0], {}),
        ([0, 0, 0, 0, 0, 1], {}),
        ([0, 0, 0, 0, 0, 0], {}),
        ([255, 255, 255, 0, 0, 255], {"bits": 1}),
        ([0, 0, 0, 255, 0, 0], {"transparency": 0}),
        ([0, 0, 0, 255, 0, 0], {"transparency": b"\x00\x80"}),
        ([0, 0, 0, 255, 0, 0], {"transparency": 7}),
    ],
)
def test_of_a_palette_index_0_is_the_ground(tmp_path: Path, colours: list[int], options: dict[str, object]) -> None:
    mask, _ = read_mask(palette(tmp_path / "36.png", TOOTH, colours, **options))
    np.testing.assert_array_equal(mask, TOOTH)


def test_of_a_palette_without_a_ground_the_transparent_index_is_it(tmp_path: Path) -> None:
    file = palette(tmp_path / "36.png", TOOTH + np.uint8(1), [0, 0, 0] * 3, transparency=1)
    np.testing.assert_array_equal(read_mask(file)[0], TOOTH)


@pytest.mark.parametrize(
    ("indices", "colours", "options", "says"),
    [
        (TOOTH, [255, 255, 255, 0, 0, 0], {}, "white as index 0, the ground, and black as the object"),
        (TOOTH + np.uint8(1), [9, 9, 9] * 3, {}, "no pixel has the palette's index 0"),
        (TOOTH, [0, 0, 0, 255, 0, 0], {"transparency": 1}, "its colour and its alpha channel show different"),
    ],
)
def test_a_palette_that_does_not_say_is_refused(
    tmp_path: Path, indices: np.ndarray, colours: list[int], options: dict[str, object], says: str
) -> None:
    with pytest.raises(DatasetError, match=says):
        read_mask(palette(tmp_path / "36.png", indices, colours, **options))


def test_noise_near_black_and_white_is_no_object(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    noise = draw.integers(0, 4, MASK.shape, dtype=np.uint8)
    mask, cut = read_mask(saved(tmp_path / "36.png", np.where(TOOTH, 255 - noise, noise), mode="L"))
    np.testing.assert_array_equal(mask, TOOTH)
    assert cut
    wide = np.where(TOOTH, 65535 - 200 * noise.astype(int), 200 * noise.astype(int))
    np.testing.assert_array_equal(read_mask(png(tmp_path / "1.png", 16, 0, wide.astype(">u2")))[0], TOOTH)
    # On a coloured object as well.
    mask, _ = read_mask(saved(tmp_path / "36.png", np.where(TOOTH, 200 - noise, noise), BLACK, BLACK, mode="RGB"))
    np.testing.assert_array_equal(mask, TOOTH)


def test_a_soft_edge_is_cut_at_half(tmp_path: Path) -> None:
    soft = cv2.resize(cv2.resize(MASK, (WIDTH * 4, HEIGHT * 4)), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    mask, cut = read_mask(saved(tmp_path / "36.png", soft, mode="L"))
    np.testing.assert_array_equal(mask, soft > 127)
    assert cut


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.maximum(MASK, block(20, 30, 35, 50) * np.uint8(128)), "grey areas between black and its brightest"),
        (np.where(TOOTH, 255, 128), "no black pixel, so ground and object look alike"),
        (np.where(TOOTH, 128, np.where(FILLING, 200, 255)), "no black pixel"),
    ],
)
def test_greys_that_may_be_anything_are_refused(tmp_path: Path, values: np.ndarray, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        read_mask(saved(tmp_path / "36.png", values.astype(np.uint8), mode="L"))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_labels_are_the_values_as_stored(tmp_path: Path, bits: int) -> None:
    values = TOOTH * np.uint8(1) if bits == 1 else np.where(FILLING, 2, TOOTH * 1).astype(np.uint8)
    rows = packed(values, bits) if bits <= 8 else values.astype(">u2")
    np.testing.assert_array_equal(read_labels(png(tmp_path / "a.png", bits, 0, rows)), values)
    assert read_mask(tmp_path / "a.png")[0].sum() == np.count_nonzero(values)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_labels_with_a_palette_of_any_depth(tmp_path: Path, bits: int) -> None:
    values = TOOTH * np.uint8(1)
    colours = (b"PLTE", bytes([0, 0, 0, 200, 30, 90]))
    file = png(tmp_path / "a.png", bits, 3, packed(values, bits), colours, (b"tRNS", b"\x00"))
    np.testing.assert_array_equal(read_labels(file), values)


def test_labels_in_equal_channels_are_read_and_colour_is_refused(tmp_path: Path) -> None:
    labels = TOOTH * np.uint8(36)
    np.testing.assert_array_equal(read_labels(saved(tmp_path / "a.png", labels, labels, labels, mode="RGB")), labels)
    np.testing.assert_array_equal(read_labels(saved(tmp_path / "a.png", labels, WHITE, mode="LA")), labels)
    np.testing.assert_array_equal(read_labels(saved(tmp_path / "a.png", labels, MASK, mode="LA")), labels)
    wide = np.dstack([TOOTH * 300] * 3).astype(">u2").reshape(HEIGHT, -1)
    np.testing.assert_array_equal(read_labels(png(tmp_path / "b.png", 16, 2, wide)), TOOTH * 300)
    with pytest.raises(DatasetError, match=r"a\.png is a colour image; save the labels as"):
        read_labels(saved(tmp_path / "a.png", labels, labels, BLACK, mode="RGB"))
    with pytest.raises(DatasetError, match=r"a\.png has labels that are transparent"):
        read_labels(saved(tmp_path / "a.png", labels, 255 - MASK, mode="LA"))


def test_damaged_files_are_named(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.png", MASK, mode="L")
    content = file.read_bytes()
    file.write_bytes(content[:60])
    with pytest.raises(ImageError, match=r"a\.png is"):
        read_mask(file)
    saved(tmp_path / "a.png", MASK, mode="L").rename(tmp_path / "b.png")
    Image.fromarray(MASK).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").rename(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"a\.png is not a PNG"):
        read_mask(tmp_path / "a.png")


def test_sixteen_bit_colour_with_a_transparent_colour(tmp_path: Path) -> None:
    ground, tooth = (300, 600, 301), (300, 600, 302)
    values = np.where(TOOTH[..., None], np.array(tooth, np.uint16), np.array(ground, np.uint16))
    rows = values.astype(">u2").reshape(HEIGHT, -1).view(np.uint8)
    file = png(tmp_path / "36.png", 16, 2, rows, (b"tRNS", struct.pack(">HHH", *ground)))
    samples = read_samples(file)
    np.testing.assert_array_equal(samples.values, values)
    assert samples.alpha is not None
    np.testing.assert_array_equal(samples.alpha, TOOTH * np.uint16(65535))


OTHER = FILLING.astype(np.uint8) * 255


@pytest.mark.parametrize(
    "channels",
    [
        pytest.param([WHITE, 255 - MASK, 255 - MASK], id="red on white"),
        pytest.param([255 - MASK, BLACK, MASK], id="blue on red"),
        pytest.param([MASK * (OTHER == 0), OTHER, BLACK], id="a red and a green object on black"),
    ],
)
@pytest.mark.parametrize("alpha", [False, True])
def test_colours_that_do_not_tell_object_from_ground_are_refused(
    tmp_path: Path, channels: list[np.ndarray], alpha: bool
) -> None:
    file = saved(tmp_path / "36.png", *channels, *[WHITE] * alpha, mode="RGBA" if alpha else "RGB")
    with pytest.raises(DatasetError, match=r"36\.png has areas of different colours \(RGB .* and RGB .*\).*; save a"):
        read_mask(file)


def test_a_coloured_object_with_soft_edges_is_read(tmp_path: Path) -> None:
    soft = cv2.GaussianBlur(MASK, (5, 5), 1)
    mask, cut = read_mask(saved(tmp_path / "36.png", soft, soft // 2, BLACK, mode="RGB"))
    np.testing.assert_array_equal(mask, soft > 127)
    assert cut


def test_labels_that_lie_in_alpha_alone_are_refused(tmp_path: Path) -> None:
    labels = TOOTH.astype(np.uint8) * 36
    for value in (BLACK, WHITE // 255):
        with pytest.raises(
            DatasetError, match=r"l\.png has (values in its alpha channel alone|labels that are transp)"
        ):
            read_labels(saved(tmp_path / "l.png", value, labels, mode="LA"))
    # Nothing is there, and nothing is transparent.
    assert not read_labels(saved(tmp_path / "l.png", BLACK, WHITE, mode="LA")).any()
