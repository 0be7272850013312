"""Writing the tags that a check suggests into its datasets."""

from pathlib import Path

from dentasam.data.quality.check import Check
from dentasam.data.quality.reports.write_tags import write_tags


def write_suggested_tags(check: Check) -> dict[Path, dict[str, int]]:
    """Adds the suggested tags to each dataset's file, and returns how many images got each of them, by dataset.

    Raises OutputError where a file cannot be written; those before it are written then.
    """
    written = {}
    for path in check.problems:
        tags = {image.record.id: image.tags for image in check.images if image.dataset == path and image.tags}
        written[path] = write_tags(path, tags) if tags else {}
    return written
