"""The gray picture of decoded cells, without wider numbers for all pixels at once.

What a value is shown as depends on the value alone. Cells of up to 16 bits are looked up in a table of their distinct
values; those of a wide range are converted one by one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dentasam.data.images.dicom.compression.decoders import Decoded
from dentasam.data.images.dicom.elements import Elements
from dentasam.data.images.dicom.gray_levels.colour import luminance, palette_luminance
from dentasam.data.images.dicom.gray_levels.windowing import gray_levels
from dentasam.data.images.dicom.layout import PALETTE, Layout
from dentasam.data.images.dicom.pixels import stored_values, values_by_strip
from dentasam.data.images.strips import converted, strips

# In a narrower range of values each is looked up in a table.
MAX_TABLE_SPAN = 1 << 20


def gray_picture(decoded: Decoded, photometric: str, elements: Elements, layout: Layout) -> np.ndarray:
    """The picture (H, W) uint8 or uint16 of cells (H, W), or of colours (H, W, 3)."""
    if layout.samples == 3:
        return _of_colours(decoded, photometric, elements, layout)
    if decoded.samples.dtype.kind == "f" or decoded.bits > 16:
        return _of_wide_cells(decoded, photometric, elements, layout)
    there = np.zeros(1 << 16, bool)
    flat = decoded.samples.reshape(-1)
    for strip in strips(flat.size):
        there[flat[strip]] = True
    cells = np.flatnonzero(there)
    stored = stored_values(replace(decoded, samples=cells), layout, elements)
    levels, places = np.unique(stored, return_inverse=True)
    gray = _shown(levels, photometric, elements, layout)
    table = np.zeros(there.size, gray.dtype)
    table[cells] = gray[places]
    return converted(decoded.samples, gray.dtype, lambda part: table[part])


def _of_wide_cells(decoded: Decoded, photometric: str, elements: Elements, layout: Layout) -> np.ndarray:
    values = _narrowed(decoded, layout, elements)
    low, high = values.min(), values.max()
    if low == high:
        return np.full(values.shape, _shown(values.reshape(-1)[:1], photometric, elements, layout)[0])
    first, span = int(low), float(high) - float(low)
    if values.dtype.kind == "f" or span >= MAX_TABLE_SPAN:
        return _shown(values.reshape(-1), photometric, elements, layout).reshape(values.shape)
    there = np.zeros(int(high) - first + 1, bool)
    flat = values.reshape(-1)
    for strip in strips(flat.size):
        there[flat[strip].astype(np.int64) - first] = True
    levels = np.flatnonzero(there) + first
    gray = _shown(levels, photometric, elements, layout)
    table = np.zeros(there.size, gray.dtype)
    table[levels - first] = gray
    return converted(values, gray.dtype, lambda part: table[part.astype(np.int64) - first])


def _narrowed(decoded: Decoded, layout: Layout, elements: Elements) -> np.ndarray:
    """The stored values (H, W): floats as they are, integers in 32 bits where that is enough."""
    cells = decoded.samples
    if cells.dtype.kind == "f":
        return cells
    wide = min(layout.stored, decoded.bits) > 32
    dtype = np.int64 if wide else np.int32 if layout.signed else np.uint32
    result = np.empty(cells.size, dtype)
    for strip, values in zip(strips(cells.size), values_by_strip(decoded, layout, elements), strict=True):
        result[strip] = values
    return result.reshape(cells.shape)


def _shown(levels: np.ndarray, photometric: str, elements: Elements, layout: Layout) -> np.ndarray:
    """The gray values (n,) of stored values (n,)."""
    if photometric == PALETTE:
        return palette_luminance(levels, elements)
    gray = gray_levels(levels, elements, layout)
    return np.iinfo(gray.dtype).max - gray if photometric == "MONOCHROME1" else gray


def _of_colours(decoded: Decoded, photometric: str, elements: Elements, layout: Layout) -> np.ndarray:
    height, width = decoded.samples.shape[:2]
    result = np.empty(height * width, np.uint8 if layout.stored <= 8 else np.uint16)
    for strip, samples in zip(strips(result.size), values_by_strip(decoded, layout, elements), strict=True):
        result[strip] = luminance(samples, photometric, layout.stored)
    return result.reshape(height, width)
