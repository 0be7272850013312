"""The prompts of a run over many images: files of prompts or boxes, and boxes that hold for every image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dentasam.data.prompt_files.file import read_boxes, read_prompts
from dentasam.data.prompt_files.prompts import ObjectPrompt, PromptFile, parse_box
from dentasam.errors import PromptError

# How many unused names a warning lists.
NAMED = 3


@dataclass(frozen=True)
class PromptSources:
    """Sources in the order of their objects: a file names its images, an `ObjectPrompt` is for every image."""

    sources: tuple[PromptFile | ObjectPrompt, ...]

    @staticmethod
    def read(prompts: Path | None, boxes: Sequence[str], images_file: Path | None) -> "PromptSources":
        """Reads a file of prompts, and boxes that are each a file or `x0,y0,x1,y1`.

        images_file: the COCO file that names the images of a list of detections. Raises PromptError.
        """
        sources: list[PromptFile | ObjectPrompt] = []
        if prompts is not None:
            sources.append(read_prompts(prompts, images_file))
        for text in boxes:
            is_file = Path(text).is_file()
            sources.append(read_boxes(Path(text), images_file) if is_file else ObjectPrompt(box=parse_box(text)))
        return PromptSources(tuple(sources))

    def of(self, image: Path) -> tuple[ObjectPrompt, ...]:
        """The objects wanted in an image. Raises PromptError where there is none, or a file lacks the image."""
        if not self.sources:
            raise PromptError(f"{image}: nothing to segment; give --prompts FILE or --boxes FILE|x0,y0,x1,y1")
        parts = ((source,) if isinstance(source, ObjectPrompt) else source.of(image) for source in self.sources)
        return sum(parts, ())

    def warnings(self, images: Sequence[Path]) -> list[str]:
        """A line for each kind of entry that was passed over, and for entries that none of the images used."""
        lines: list[str] = []
        for source in self.sources:
            if not isinstance(source, PromptFile):
                continue
            lines += [f"{source.path}: {note}" for note in source.notes]
            unused = source.unused(images)
            if unused:
                more = f" and {len(unused) - NAMED} more" if len(unused) > NAMED else ""
                names = ", ".join(unused[:NAMED]) + more
                lines.append(f"{source.path}: none of the images is {names}; those prompts were not used")
        return lines
