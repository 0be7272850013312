"""How often the tags that `dentasam data check` suggests without a model are right: precision and recall.

    python benchmarks/quality_tags.py DATASET... [--reference DATASET...]

DATASETS hold images with bad-case tags and images without; a tag that an image does not have counts as absent,
although nobody may have looked for it. --reference: datasets that are checked with them, as in one call of
`data check`, so that the usual sharpness is known, but are not counted.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dentasam.data.quality.check import CheckedImage, check_datasets
from dentasam.data.quality.suggested_tags import TAGS


def figures(images: Sequence[CheckedImage]) -> list[dict[str, Any]]:
    """A row for each tag, with counts, precision and recall; None for a share of nothing."""
    rows = []
    for tag in TAGS:
        tagged = {place for place, image in enumerate(images) if tag in image.record.tags}
        suggested = {place for place, image in enumerate(images) if tag in image.tags}
        right = len(tagged & suggested)
        rows.append(
            {
                "tag": tag,
                "tagged": len(tagged),
                "suggested": len(suggested),
                "right": right,
                "precision": right / len(suggested) if suggested else None,
                "recall": right / len(tagged) if tagged else None,
            }
        )
    return rows


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("datasets", nargs="+", type=Path)
    parser.add_argument("--reference", nargs="*", type=Path, default=[])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    check = check_datasets([*given.reference, *given.datasets])
    images = [image for image in check.images if image.dataset in given.datasets]
    rows = figures(images)
    print(f"{len(images)} images, {len(check.images) - len(images)} more for reference")
    print(f"{'tag':<20}{'tagged':>8}{'suggested':>11}{'right':>7}{'precision':>11}{'recall':>8}")
    for row in rows:
        shares = ["–" if row[name] is None else f"{row[name]:.2f}" for name in ("precision", "recall")]
        print(
            f"{row['tag']:<20}{row['tagged']:>8}{row['suggested']:>11}{row['right']:>7}{shares[0]:>11}{shares[1]:>8}"
        )
    if given.json is not None:
        given.json.write_text(json.dumps({"work": {"images": len(images)}, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
