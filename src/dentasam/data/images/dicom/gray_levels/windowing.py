"""From stored values to grey levels: modality (rescale or LUT), then VOI (LUT, window, or the values' range).

PS3.3 C.11.1 and C.11.2. Everything works on the distinct values of an image, (n,), so that it costs the same for
one megapixel as for twenty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dentasam.data.images.dicom.elements import Elements, UnreadableError
from dentasam.data.images.dicom.gray_levels.lut import LookupTable, table_of
from dentasam.data.images.dicom.layout import Layout
from dentasam.data.images.grayscale import stretched
from dentasam.data.images.strips import converted, strips

MODALITY_LUT = "ModalityLUTSequence"
FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


@dataclass(frozen=True, slots=True)
class Window:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3."""

    center: float
    width: float
    function: str

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Shares of white, 0…1, of modality values of any shape."""
        if self.function == "SIGMOID":
            with np.errstate(over="ignore"):
                return 1 / (1 + np.exp(-4 * (values - self.center) / self.width))
        if self.function == "LINEAR_EXACT":
            return np.clip((values - self.center) / self.width + 0.5, 0, 1)
        if self.width == 1:
            return (values > self.center - 0.5).astype(np.float64)
        return np.clip((values - (self.center - 0.5)) / (self.width - 1) + 0.5, 0, 1)


def gray_levels(stored: np.ndarray, elements: Elements, layout: Layout) -> np.ndarray:
    """Grey levels (n,), uint8 for 8 stored bits or fewer and otherwise uint16, of distinct stored values (n,).

    Raises UnreadableError for a rescale slope or intercept that gives no finite values.
    """
    full = 255 if layout.stored <= 8 else 65535
    dtype = np.uint8 if full == 255 else np.uint16
    values = modality_values(stored, elements)
    counted = ~_is_padding(stored, elements, layout)
    counted = counted if counted.any() else np.ones_like(counted)
    table, window = voi_table(elements), window_of(elements)
    if table is not None:
        first, white = table.first_for(values), table.full
        shown = converted(values, dtype, lambda part: stretched(table.from_first(part, first), 0, white, full))
    elif window is not None:
        shown = converted(values, dtype, lambda part: stretched(window(part), 0, 1, full))
    else:
        return stretched(values, *_range(stored, values, counted, elements, layout), full)
    if len(values) > 1 and np.equal(*_ends(shown, counted)):
        what = f"window (centre {window.center:g}, width {window.width:g})" if window and table is None else "VOI LUT"
        low, high = _ends(values, counted)
        elements.report(f"has a {what} that misses its values, {low:g} to {high:g}; all of them are shown alike")
    return shown


def _ends(values: np.ndarray, counted: np.ndarray) -> tuple[float, float]:
    """The least and the greatest of the values (n,) that count, of which there is one at least."""
    if not counted.all():
        parts = (values[strip][counted[strip]] for strip in strips(len(values)))
        ends = [(part.min(), part.max()) for part in parts if part.size]
        return float(min(low for low, _ in ends)), float(max(high for _, high in ends))
    return float(values.min()), float(values.max())


def modality_values(stored: np.ndarray, elements: Elements) -> np.ndarray:
    """Values of the modality, of stored ones: through the modality LUT, or slope and intercept. float64 or int64."""
    table = _first_table(elements, MODALITY_LUT)
    if table is not None:
        return table(stored)
    slope, intercept = _rescale(elements, "RescaleSlope", 1.0), _rescale(elements, "RescaleIntercept", 0.0)
    if slope == 0:
        elements.report("has RescaleSlope 0; 1 is assumed")
        slope = 1.0
    if slope == 1 and intercept == 0:
        return stored
    with np.errstate(over="ignore", invalid="ignore"):
        values = stored * slope + intercept
    if not np.isfinite(values).all():
        raise UnreadableError("has a rescale slope or intercept that is not a number")
    return values


def voi_table(elements: Elements) -> LookupTable | None:
    """The first VOI LUT; None where there is none that can be applied."""
    return _first_table(elements, "VOILUTSequence")


def window_of(elements: Elements) -> Window | None:
    """The first window that can be applied; None where there is none."""
    if not elements.has("WindowCenter") and not elements.has("WindowWidth"):
        return None
    function = elements.text("VOILUTFunction")
    if function not in FUNCTIONS:
        if elements.has("VOILUTFunction"):
            found = f"an unknown ({function})" if function else "an empty"
            elements.report(f"has {found} VOILUTFunction; LINEAR is assumed")
        function = "LINEAR"
    for center, width in zip(elements.numbers("WindowCenter"), elements.numbers("WindowWidth"), strict=False):
        if center is None or width is None or not (math.isfinite(center) and math.isfinite(width)):
            continue
        if width >= 1 or (function != "LINEAR" and width > 0):
            return Window(center, width, function)
    elements.report("has a window that is empty or without width; it is passed over")
    return None


def _first_table(elements: Elements, keyword: str) -> LookupTable | None:
    tables = map(table_of, elements.items(keyword))
    table = next((table for table in tables if table is not None), None)
    if table is None and elements.has(keyword):
        elements.report(f"has a {keyword} without a table that can be applied; it is passed over")
    return table


def _rescale(elements: Elements, keyword: str, default: float) -> float:
    value = elements.number(keyword)
    if value is None and elements.has(keyword):
        elements.report(f"has a {keyword} that is empty or not a number; {default:g} is assumed")
    return default if value is None else value


def _is_padding(stored: np.ndarray, elements: Elements, layout: Layout) -> np.ndarray:
    """Which stored values (n,) are padding, PS3.3 C.7.5.1.1.2: one value, or all up to the range limit."""
    first = elements.number("PixelPaddingValue")
    if first is None or not math.isfinite(first):
        return np.zeros(stored.shape, bool)
    limit = elements.number("PixelPaddingRangeLimit")
    last = first if limit is None or not math.isfinite(limit) else limit
    ends = sorted(_stored_padding(end, layout) for end in (first, last))
    return (stored >= ends[0]) & (stored <= ends[1])


def _stored_padding(value: float, layout: Layout) -> int:
    """A padding value as the pixels are stored: it is often written with the wrong sign, -2000 as 63536."""
    low_bits = int(value) & ((1 << layout.stored) - 1)
    return low_bits - (1 << layout.stored) if layout.signed and low_bits >> (layout.stored - 1) else low_bits


def _range(
    stored: np.ndarray, values: np.ndarray, counted: np.ndarray, elements: Elements, layout: Layout
) -> tuple[float, float]:
    """The modality values to show black and white where the file names none. counted: (n,), those without padding.

    For 8-bit files it is the whole range of the stored bits. For wider ones it is the range of the image, as in
    viewers: 12 bits in a file that claims 16 would be black otherwise.
    """
    if layout.stored <= 8 and stored.dtype.kind in "iu" and not _first_table(elements, MODALITY_LUT):
        start = -(1 << (layout.stored - 1)) if layout.signed else 0
        ends = modality_values(np.array([start, start + (1 << layout.stored) - 1]), elements)
        return float(ends.min()), float(ends.max())
    return _ends(values, counted)
