"""Objects of annotation files of any format for the cases of a worklist."""

import zipfile
from pathlib import Path

import pytest

from dentasam.data.dataset import Dataset
from dentasam.data.formats.registry import write_annotations
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.teeth.numbering import Numbering
from dentasam.labelling.exchange.annotation_files import import_annotation_file
from dentasam.labelling.exchange.import_bounds import ImportBounds, ImportStopped
from dentasam.labelling.log.store import Store
from dentasam.labelling.workspace.workspace import Workspace

from ..conftest import block, first_case


@pytest.mark.parametrize("numbering", [None, *Numbering])
def test_codes_of_a_segmentation_outweigh_the_chosen_numbering(
    radiographs: Path, sqlite_store: Store, tmp_path: Path, numbering: Numbering | None
) -> None:
    pytest.importorskip("highdicom")
    with Workspace.open(radiographs) as workspace:
        path = next(image.path for image in workspace.images if image.path.name == "a.png")
        objects = (ObjectRecord.from_mask(1, "11", block(5, 5, 30, 20)),)
        dataset = Dataset(path.parent / "set.json", (ImageRecord(1, path, "a.png", 60, 40, (), objects),))
        files: dict[str, bytes] = {}
        write_annotations("dicom-seg", dataset, files.__setitem__)
        file = tmp_path / "a.dcm"
        file.write_bytes(files["segmentations/a.dcm"])
        report = import_annotation_file(sqlite_store, workspace.images, file, "ann", None, numbering)
        assert report.objects == 1
        assert [known.category for known in sqlite_store.state(first_case(sqlite_store)).present] == ["11"]


def test_unpacking_ends_when_the_client_is_gone(radiographs: Path, sqlite_store: Store, tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(20):
            archive.writestr(f"d/{number}", b"")
    asked: list[bool] = []

    def stopped() -> bool:
        asked.append(len(asked) == 6)
        return asked[-1]

    with Workspace.open(radiographs) as workspace, pytest.raises(ImportStopped):
        import_annotation_file(sqlite_store, workspace.images, file, "ann", bounds=ImportBounds(stopped))
    assert len(asked) == 7
