"""The bad-case tags that measures suggest, without a model.

The bounds were chosen on UFBA-425's train.json and val.json, none of whose images is a bad case, so that each tag
goes to 1 to 4 % of them, and on phantoms with and without each condition. docs/data.md says how often they are right.
"""

from dentasam.data.quality.pixels.image_measures import ImageMeasures

TAGS = ("blurred", "ambiguous-boundary", "overlap", "artifact")
MAX_ROOT_CONTRAST = 0.045
MIN_OVERLAP = 0.065
MIN_METAL, MIN_STEP, MIN_GHOST = 0.08, 0.15, 0.15


def suggested_tags(measures: ImageMeasures, least_sharpness: float) -> tuple[str, ...]:
    """The tags of an image, in the order of `TAGS`. least_sharpness: as `outliers.least_sharpness` gives it."""
    contrast, overlap = measures.root_contrast, measures.overlap
    found = {
        "blurred": measures.sharpness < least_sharpness,
        "ambiguous-boundary": contrast is not None and contrast < MAX_ROOT_CONTRAST,
        "overlap": overlap is not None and overlap > MIN_OVERLAP,
        "artifact": measures.metal > MIN_METAL or measures.step > MIN_STEP or measures.ghost > MIN_GHOST,
    }
    return tuple(tag for tag in TAGS if found[tag])
