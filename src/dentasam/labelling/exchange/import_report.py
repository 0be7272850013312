"""What an import into the worklist passed over: counted in full, named up to a bound."""

from dataclasses import dataclass, field

from dentasam.data.coco.passed_over import WHAT, Why

MAX_NAMED = 200


@dataclass(frozen=True, slots=True)
class SkippedItem:
    """An image, or an annotation of one, and why it was passed over."""

    image: str
    annotation: int | None
    reason: str


@dataclass(slots=True)
class SkippedItems:
    """images, objects: how many of each did not come in; `objects_of_images` of the objects lie on those images.

    entries: the first `MAX_NAMED`, each with its reason. An object that lost a part of its outline is among them,
    and not counted.
    """

    images: int = 0
    objects: int = 0
    objects_of_images: int = 0
    entries: list[SkippedItem] = field(default_factory=list)

    def image(self, name: str, reason: str) -> None:
        self.images += 1
        self._add(SkippedItem(name, None, reason))

    def object_of_image(self) -> None:
        """An annotation on an image that is passed over, which is named once for all of them."""
        self.objects += 1
        self.objects_of_images += 1

    def annotation(self, image: str, id: int, why: Why) -> None:
        self.objects += why is not Why.ring
        self._add(SkippedItem(image, id, f"it {WHAT[why]}"))

    def _add(self, entry: SkippedItem) -> None:
        if len(self.entries) < MAX_NAMED:
            self.entries.append(entry)
