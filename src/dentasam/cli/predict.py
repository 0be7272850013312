"""`dentasam predict`: masks for images from clicks or boxes in a file."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentasam.cli import options
from dentasam.cli.console import complain, say
from dentasam.errors import PromptError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from dentasam.data.prompt_file import ObjectPrompt
    from dentasam.model.embedding import ImageEmbedding
    from dentasam.model.segmenter import Segmenter

# Masks at the image's resolution are held for this many objects at once: 60 MB at 2900x1250.
OBJECTS_PER_CALL = 16


class MaskFormat(StrEnum):
    """Those of dentasam.data.formats, which the command's start-up must not import."""

    coco = "coco"
    png = "png"
    labels = "labels"


def predict(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="PNG, JPEG, TIFF or DICOM.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for masks and overlays; new or empty.")],
    prompts: Annotated[
        Path | None,
        typer.Option("--prompts", metavar="FILE", help="YAML or JSON: image name → objects, clicks or box."),
    ] = None,
    boxes: Annotated[
        list[str] | None,
        typer.Option(
            "--boxes",
            metavar="FILE|x0,y0,x1,y1",
            help="A file of boxes (image name → boxes, or COCO), or a box for every image; may be repeated.",
        ),
    ] = None,
    model: options.Model = options.BUNDLED_MODEL,
    adapter: options.Adapter = None,
    format: Annotated[
        MaskFormat,
        typer.Option("--format", help="A COCO dataset, a PNG per object, or a label image per image."),
    ] = MaskFormat.coco,
    device: options.Device = None,
) -> None:
    """Masks for images from clicks or boxes, with overlays to look at."""
    import csv
    from time import perf_counter

    import numpy as np

    from dentasam.data.dataset import Dataset
    from dentasam.data.formats import export_dataset
    from dentasam.data.formats.folders import write_png, writing
    from dentasam.data.image import read_image
    from dentasam.data.output import claim_folder
    from dentasam.data.record import ImageRecord, ObjectRecord
    from dentasam.evaluation.overlays import displayable, whole_image
    from dentasam.model.segmenter import load

    # What can be wrong with the user's words comes before the seconds that a model takes to load.
    images = list(dict.fromkeys(images))
    wanted = [_prompts_of(path, prompts, boxes or []) for path in images]
    claim_folder(out)
    segmenter = load(model, adapter=options.chosen_adapter(model, adapter), device=device).merged()

    records: list[ImageRecord] = []
    rows: list[list[object]] = [["image", "object", "category", "score", "area_px"]]
    started = perf_counter()
    for number, (path, name) in enumerate(unique_names(images).items(), start=1):
        image = read_image(path)
        _check_inside(path, wanted[number - 1], *image.shape)
        masks, scores = predict_objects(segmenter, segmenter.encode(image), wanted[number - 1])
        found: list[ObjectRecord] = []
        for place, (prompt, mask) in enumerate(zip(wanted[number - 1], masks, strict=True), start=1):
            if not mask.any():
                complain(f"{path}: nothing found for object {place}; move its click or box")
                continue
            found.append(ObjectRecord.from_mask(len(rows), prompt.category, mask))
            rows.append([name, len(rows), prompt.category, f"{scores[place - 1]:.4f}", round(found[-1].area)])
        height, width = image.shape
        records.append(ImageRecord(number, path.resolve(), name, width, height, objects=tuple(found)))
        say(f"{name}: {len(found)} objects")
    seconds = perf_counter() - started

    for note in export_dataset(format.value, Dataset(out, tuple(records)), out):
        say(f"note: {note}")
    for record in records:
        picture = whole_image(displayable(record.read()), list(record.masks()), record.width)
        file = out / "overlays" / f"{Path(record.file_name).stem}.png"
        write_png(file, np.ascontiguousarray(picture[:, :, ::-1]))
    with writing(out / "objects.csv"), (out / "objects.csv").open("w", encoding="utf-8", newline="") as table:
        csv.writer(table, lineterminator="\n").writerows(rows)
    say(f"{len(images)} images, {len(rows) - 1} objects, {len(images) / seconds:.2f} images/s → {out}")


def predict_objects(
    segmenter: "Segmenter", embedding: "ImageEmbedding", wanted: "Sequence[ObjectPrompt]"
) -> "tuple[list[np.ndarray], list[float]]":
    """A mask (H, W) bool and its predicted IoU for each object wanted, in their order.

    Clicks are given one at a time, each with the logits before it, as in training and evaluation. Objects
    with the same number of clicks are decoded together, so that no list of clicks is padded.
    """
    import numpy as np

    groups: dict[tuple[int, bool], list[int]] = {}
    for index, prompt in enumerate(wanted):
        groups.setdefault((len(prompt.clicks), prompt.box is None), []).append(index)
    masks: dict[int, np.ndarray] = {}
    scores: dict[int, float] = {}
    for (clicks, boxless), members in groups.items():
        for start in range(0, len(members), OBJECTS_PER_CALL):
            part = members[start : start + OBJECTS_PER_CALL]
            given = np.array([wanted[i].clicks for i in part], dtype=np.float64).reshape(len(part), clicks, 3)
            boxes = None if boxless else np.array([wanted[i].box for i in part], dtype=np.float64)
            logits = None
            for shown in range(min(1, clicks), clicks + 1):
                prediction = segmenter.predict(
                    embedding,
                    given[:, :shown, :2],
                    given[:, :shown, 2].astype(np.int64),
                    boxes=boxes,
                    logits=logits,
                )
                logits = prediction.logits
            masks.update(zip(part, prediction.masks, strict=True))
            scores.update(zip(part, map(float, prediction.scores), strict=True))
    return [masks[index] for index in range(len(wanted))], [scores[index] for index in range(len(wanted))]


def unique_names(images: "Sequence[Path]") -> dict[Path, str]:
    """A file name for each image; where its stem is taken by another image, it gets `-2`, `-3`, …"""
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for path in images:
        stem, repeat = path.stem, 1
        # Folded, because some file systems hold `A.png` and `a.png` for the same file.
        while stem.casefold() in taken:
            repeat += 1
            stem = f"{path.stem}-{repeat}"
        taken.add(stem.casefold())
        names[path] = stem + path.suffix
    return names


def _prompts_of(image: Path, prompts: Path | None, boxes: list[str]) -> "tuple[ObjectPrompt, ...]":
    from dentasam.data.prompt_file import ObjectPrompt, parse_box, read_boxes, read_prompts

    if prompts is None and not boxes:
        raise PromptError(f"{image}: nothing to segment; give --prompts FILE or --boxes FILE|x0,y0,x1,y1")
    objects = read_prompts(prompts).of(image) if prompts is not None else ()
    for text in boxes:
        if Path(text).is_file():
            objects += read_boxes(Path(text)).of(image)
        else:
            objects += (ObjectPrompt(box=parse_box(text)),)
    return objects


def _check_inside(image: Path, objects: "Sequence[ObjectPrompt]", height: int, width: int) -> None:
    """A click off the image, or a box that misses it, is a mistake in the numbers: told, never clipped."""
    for number, wanted in enumerate(objects, start=1):
        for x, y, _ in wanted.clicks:
            if not (0 <= x < width and 0 <= y < height):
                raise PromptError(
                    f"{image}, object {number}: click {x:g},{y:g} lies outside the image of {width}x{height}"
                )
        if wanted.box is not None:
            x0, y0, x1, y1 = wanted.box
            if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
                raise PromptError(
                    f"{image}, object {number}: box {x0:g},{y0:g},{x1:g},{y1:g} lies outside the image of "
                    f"{width}x{height}"
                )
