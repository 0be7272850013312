"""What an import into the worklist brought in, and what it skipped: counted in full, named up to a limit."""

from dataclasses import dataclass, field

from dentasam.data.coco.passed_over import DESCRIPTIONS, Reason

MAX_NAMED = 200


@dataclass(frozen=True, slots=True)
class SkippedItem:
    """An image, or an annotation of one, and why it was skipped. `annotation` is None for an image as a whole."""

    image: str
    annotation: int | None
    reason: str


@dataclass(slots=True)
class SkippedItems:
    """How many images and objects were not imported; `objects_of_images` of the objects lie on those images.

    entries: the first `MAX_NAMED`, each with its reason. An object that lost a part of its outline is among them
    but is not counted, since the rest of it was imported.
    """

    images: int = 0
    objects: int = 0
    objects_of_images: int = 0
    entries: list[SkippedItem] = field(default_factory=list)

    def add_image(self, name: str, reason: str) -> None:
        self.images += 1
        self._add(SkippedItem(name, None, reason))

    def add_object_of_image(self) -> None:
        """Counts an annotation on a skipped image; the image's own entry stands for all of them."""
        self.objects += 1
        self.objects_of_images += 1

    def add_annotation(self, image: str, id: int, why: Reason) -> None:
        self.objects += why is not Reason.ring
        self._add(SkippedItem(image, id, f"it {DESCRIPTIONS[why]}"))

    def _add(self, entry: SkippedItem) -> None:
        if len(self.entries) < MAX_NAMED:
            self.entries.append(entry)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """How many objects are new, in how many cases, what was skipped, and what the reader has to say, a line each."""

    objects: int
    cases: int
    skipped: SkippedItems = field(default_factory=SkippedItems)
    notes: tuple[str, ...] = ()
