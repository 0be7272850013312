"""The images of a running server by case id. Only images that are in it can be requested."""

from collections.abc import Iterator, Mapping, Sequence

from dentasam.labelling.log.cases import Case
from dentasam.labelling.workspace.workspace import CaseImage


class Worklist(Mapping[int, CaseImage]):
    """The images in the order of the worklist. Images may be added while other threads read."""

    def __init__(self, cases: Sequence[Case] = (), images: Sequence[CaseImage] = ()) -> None:
        self._images: dict[int, CaseImage] = {}
        self.changes = -1
        self.replace(cases, images)

    def replace(self, cases: Sequence[Case], images: Sequence[CaseImage]) -> None:
        """Replaces all cases. `changes` counts how often, so that pages can see whether the worklist is new."""
        by_name = {image.name: image for image in images}
        self._images = {case.id: by_name[case.name] for case in cases if case.name in by_name}
        self.changes += 1

    def touch(self) -> None:
        """Lets pages read the worklist again, because the counts of its cases changed."""
        self.changes += 1

    def __getitem__(self, case_id: int) -> CaseImage:
        return self._images[case_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._images)

    def __len__(self) -> int:
        return len(self._images)
