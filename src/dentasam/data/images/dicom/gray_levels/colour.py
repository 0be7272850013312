"""Colour images of a grey radiograph as luminance, ITU-R BT.601: RGB, YBR and palettes."""

from __future__ import annotations

import numpy as np
from pydicom.pixels.processing import apply_color_lut

from dentasam.data.images.dicom.elements import Elements, UnreadableError
from dentasam.data.images.dicom.gray_levels.lut import LookupTable, table_of
from dentasam.data.images.dicom.layout import YBR
from dentasam.data.images.grayscale import LUMINANCE_WEIGHTS, stretched

CHANNELS = ("Red", "Green", "Blue")


def luminance(samples: np.ndarray, photometric: str, bits: int) -> np.ndarray:
    """Luminance (H, W), uint8 for 8 bits or fewer and otherwise uint16, of samples (H, W, 3) of so many bits.

    In YBR the first sample is the luminance itself (PS3.3 C.7.6.3.1.2).
    """
    gray = samples[..., 0] if photometric in YBR else samples @ LUMINANCE_WEIGHTS
    return stretched(gray, 0, (1 << bits) - 1, 255 if bits <= 8 else 65535)


def palette_luminance(stored: np.ndarray, elements: Elements) -> np.ndarray:
    """Luminance (n,) of the palette's colours for stored values (n,); uint8 for a palette of 8 bits, or uint16."""
    tables = palette_of(elements)
    bits = palette_bits(tables)
    colours = np.stack([table(stored) for table in tables], axis=-1)  # (n, 3)
    return stretched(colours @ LUMINANCE_WEIGHTS, 0, (1 << bits) - 1, 255 if bits == 8 else 65535)


def palette_of(elements: Elements) -> list[LookupTable]:
    """The tables of red, green and blue. Raises UnreadableError where one is missing or cannot be read."""
    if elements.has("SegmentedRedPaletteColorLookupTableData"):
        return _segmented(elements)
    tables = []
    for channel in CHANNELS:
        name = f"{channel}PaletteColorLookupTable"
        table = table_of(elements, f"{name}Descriptor", f"{name}Data")
        if table is None:
            raise UnreadableError(f"has a palette without a table for {channel.lower()}")
        tables.append(table)
    return tables


def palette_bits(tables: list[LookupTable]) -> int:
    """8 or 16: how wide the entries are, whatever is declared of a palette that does not keep to it."""
    greatest = max(int(table.entries.max()) for table in tables)
    return 16 if greatest > 255 else 8


def _segmented(elements: Elements) -> list[LookupTable]:
    """The tables of a segmented palette, PS3.3 C.7.9.2, which pydicom expands."""
    count, first, bits = (int(value or 0) for value in elements.numbers("RedPaletteColorLookupTableDescriptor"))
    count = count % (1 << 16) or 1 << 16
    colours = apply_color_lut(np.arange(first, first + count), elements.dataset)
    return [LookupTable(colours[:, channel].astype(np.int64), first, bits) for channel in range(3)]
