"""The result of a check as JSON, for other programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dentasam.data.quality.check import Check
from dentasam.data.quality.reports.disagreement import Disagreement
from dentasam.errors import OutputError
from dentasam.files.atomic_write import write_atomically


def json_report(check: Check, disagreements: Sequence[Disagreement] = ()) -> dict[str, Any]:
    """Numbers, every problem, every image with its measures and suggested tags, and the ranked annotations."""
    return {
        "datasets": [str(path) for path in check.problems],
        "images": len(check.images),
        "objects": check.objects,
        "errors": check.errors,
        "warnings": sum(map(len, check.problems.values())) - check.errors,
        "suggested_tags": check.tag_counts,
        "notes": check.notes,
        "problems": [
            {
                "dataset": str(path),
                "image": problem.image,
                "annotation": problem.annotation,
                "severity": problem.severity,
                "kind": problem.kind,
                "what": problem.what,
                "fix": problem.fix,
            }
            for path, problems in check.problems.items()
            for problem in problems
        ],
        "measured": [
            {
                "dataset": str(image.dataset),
                "image": image.record.id,
                "file_name": image.record.file_name,
                "suggested_tags": list(image.tags),
                "measures": None if image.measures is None else _rounded(asdict(image.measures)),
            }
            for image in check.images
        ],
        "disagreements": [
            {
                "dataset": str(item.dataset),
                "image": item.image,
                "annotation": item.annotation,
                "category": item.category,
                "dice_at_clicks": _rounded(list(item.dice)),
            }
            for item in disagreements
        ],
    }


def write_report_file(path: Path, text: str) -> None:
    """Writes a report, all or nothing. Raises OutputError where that fails."""
    try:
        with write_atomically(path) as draft:
            draft.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); choose another place") from None


def write_json_report(path: Path, check: Check, disagreements: Sequence[Disagreement] = ()) -> None:
    """Writes `json_report`. Raises OutputError where the file cannot be written."""
    write_report_file(path, json.dumps(json_report(check, disagreements), indent=1, allow_nan=False) + "\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value
