"""What is wrong or doubtful in the objects of one image."""

from collections import Counter
from collections.abc import Iterator, Sequence

from dentasam.data.coco.problem import Problem
from dentasam.data.masks.segmentation import polygon_box
from dentasam.data.quality.objects.boxed_objects import FDI_NUMBERS, Box, BoxedObject
from dentasam.data.quality.objects.mask_measures import pieces_and_holes, same_masks
from dentasam.data.quality.objects.placement import placement_problems
from dentasam.data.record import ImageRecord

# A smaller object is probably a slip of the mouse: a molar covers about 0.6 % of a panoramic.
MIN_OBJECT_PIXELS, MIN_OBJECT_SHARE = 16, 5e-5
# Pixels. A box that was made from a polygon, or rounded, differs from the box around the mask by less.
BOX_TOLERANCE = 2.0
# Shares of a mask. Smaller pieces and holes come of drawing and of scaling masks, and change nothing.
MIN_PIECE_SHARE, MIN_HOLE_SHARE = 0.001, 0.005


def object_problems(image: ImageRecord, objects: Sequence[BoxedObject]) -> Iterator[Problem]:
    """Warnings of the numbers, masks, boxes and places of an image's objects, those whose mask could be read."""
    teeth = Counter(record.category for record in image.objects if record.category in FDI_NUMBERS)
    for number in sorted(number for number, count in teeth.items() if count > 1):
        what = f"tooth {number} is there {teeth[number]} times"
        yield Problem(image.id, None, what, "renumber or merge them", "warning", "number-twice")
    tiny = max(MIN_OBJECT_PIXELS, MIN_OBJECT_SHARE * image.height * image.width)
    for item in objects:
        record = item.record
        if item.area < tiny:
            what = f"its mask ({record.category}) has {item.area} pixels"
            yield Problem(image.id, record.id, what, "delete it if it is a slip", "warning", "tiny")
        yield from _shape_problems(image, item)
        if isinstance(record.segmentation, list) and record.bbox == polygon_box(record.segmentation):
            # The box of the outline, as tools write it, and as it is made here where the file has none.
            continue
        corners = zip(_corners(record.bbox), _corners(item.box), strict=True)
        if max(abs(given - own) for given, own in corners) > BOX_TOLERANCE:
            what = f"its bbox {_shown(record.bbox)} is not the one around its mask, {_shown(item.box)}"
            yield Problem(image.id, record.id, what, "correct or delete the bbox", "warning", "box")
    for first, second, iou in same_masks(objects):
        of = f"annotation {first.record.id} ({first.category})"
        what = f"its mask ({second.category}) is that of {of}" + ("" if iou == 1 else f", to {iou:.0%}")
        yield Problem(image.id, second.record.id, what, "delete one, or correct its mask", "warning", "same-mask")
    yield from placement_problems(image, objects)


def _shape_problems(image: ImageRecord, item: BoxedObject) -> Iterator[Problem]:
    if item.is_part:
        # Fillings, caries and root fillings of several canals are often in pieces, and lie around something.
        return
    pieces, holes = pieces_and_holes(item.mask.bits)
    pieces = [piece for piece in pieces if piece >= MIN_PIECE_SHARE * item.area]
    holes = [hole for hole in holes if hole >= MIN_HOLE_SHARE * item.area]
    if len(pieces) > 1:
        what = f"its mask ({item.category}) is in {len(pieces)} pieces, the smallest of {_pixels(pieces[-1])}"
        yield Problem(image.id, item.record.id, what, "erase or join the stray pieces", "warning", "pieces")
    if holes:
        number = "a hole" if len(holes) == 1 else f"{len(holes)} holes, the largest"
        what = f"its mask ({item.category}) has {number} of {_pixels(holes[0])}"
        yield Problem(image.id, item.record.id, what, "fill it if it is a slip", "warning", "holes")


def _pixels(count: int) -> str:
    return f"{count} pixel{'s' * (count != 1)}"


def _corners(box: Box) -> Box:
    left, top, width, height = box
    return left, top, left + width, top + height


def _shown(box: Box) -> str:
    return f"[{', '.join(f'{value:g}' for value in box)}]"
