"""`find_problems` lists every error and warning of a dataset, not only the first."""

from pathlib import Path

import numpy as np
from PIL import Image

from dentasam.data.coco.problem import Problem
from dentasam.data.quality.check import find_problems

from ..coco_files import HEIGHT, TOOTH, WIDTH, block, compressed, content, write


def of(problems: list[Problem], severity: str) -> list[tuple[int | None, int | None, str]]:
    return [(p.image, p.annotation, p.what) for p in problems if p.severity == severity]


def test_a_sound_dataset_has_no_problem(tmp_path: Path) -> None:
    assert find_problems(write(tmp_path)) == []


def test_all_errors_are_listed(tmp_path: Path) -> None:
    coco = content()
    coco["images"] += [
        {"id": 3, "file_name": "images/none.png", "width": WIDTH, "height": HEIGHT},
        {"id": 4, "file_name": "images/cut.png", "width": WIDTH, "height": HEIGHT},
        {"id": 5, "file_name": "images/small.png", "width": WIDTH, "height": HEIGHT},
    ]
    coco["annotations"] += [
        {"id": 10, "image_id": 3, "category_id": 11, "segmentation": compressed(TOOTH)},
        {"id": 11, "image_id": 77, "category_id": 11, "segmentation": compressed(TOOTH)},
        {"id": 12, "image_id": 1, "category_id": 11, "segmentation": compressed(TOOTH & False)},
        # A sliver between two rows of pixel centres: it has an area, and no pixel.
        {"id": 13, "image_id": 2, "category_id": 11, "segmentation": [[0, 3.6, 59, 3.6, 59, 3.7, 0, 3.7]]},
    ]
    path = write(tmp_path, coco)
    (tmp_path / "images/cut.png").write_bytes((tmp_path / "images/a.png").read_bytes()[:700])
    Image.new("L", (9, 8)).save(tmp_path / "images/small.png")
    problems = find_problems(path)
    errors = of(problems, "error")
    assert (3, None, f"its file 'images/none.png' is missing in {tmp_path}") in errors
    assert (77, 11, "no image has its image_id 77") in errors
    assert (1, 12, "its mask is empty") in errors
    assert (5, None, "images/small.png has 9x8 pixels, the dataset says 60x40") in errors
    (cut,) = [what for image, _, what in errors if image == 4]
    assert cut.startswith(f"{tmp_path}/images/cut.png is damaged or truncated")
    # An annotation of an image that is itself wrong is not a further error.
    assert 10 not in [annotation for _, annotation, _ in errors]
    assert (2, 13, "its mask is empty") in errors
    assert len(errors) == 6
    assert all(p.fix for p in problems)


def test_warnings(tmp_path: Path) -> None:
    coco = content()
    coco["images"] += [
        {"id": 3, "file_name": "images/flat.png", "width": WIDTH, "height": HEIGHT},
        {"id": 4, "file_name": "images/same.tif", "width": WIDTH, "height": HEIGHT},
        {"id": 5, "file_name": "images/dark.png", "width": WIDTH, "height": HEIGHT},
    ]
    coco["annotations"] += [
        {"id": 20, "image_id": 1, "category_id": 36, "segmentation": compressed(TOOTH)},
        {"id": 21, "image_id": 1, "category_id": 99, "segmentation": compressed(block(30, 30, 33, 35))},
        {"id": 22, "image_id": 2, "category_id": 99, "segmentation": compressed(TOOTH)},
        {"id": 23, "image_id": 2, "category_id": 99, "segmentation": compressed(TOOTH)},
    ]
    coco["annotations"][0]["bbox"] = [5, 5, 15, 29]
    path = write(tmp_path, coco)
    pixels = np.random.default_rng(1).integers(100, 110, (HEIGHT, WIDTH), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "images/flat.png")
    Image.open(tmp_path / "images/a.png").save(tmp_path / "images/same.tif")
    Image.fromarray(pixels.astype(np.uint16) * 30).save(tmp_path / "images/dark.png")
    problems = find_problems(path)
    assert of(problems, "error") == []
    assert of(problems, "warning") == [
        (1, None, "tooth 36 is there 2 times"),
        (1, 1, "its bbox [5, 5, 15, 29] is not the one around its mask, [5, 5, 15, 25]"),
        (1, 21, "its mask (restoration) has 15 pixels"),
        (1, 20, "its mask (36) is that of annotation 1 (36)"),
        (2, 23, "its mask (restoration) is that of annotation 22 (restoration)"),
        (3, None, "images/flat.png uses 3.5% of its gray range"),
        (4, None, "images/same.tif is the same image as images/a.png (image 1)"),
        (5, None, "images/dark.png uses 0.4% of its gray range"),
        (5, None, "images/dark.png shows the same as images/flat.png (image 3)"),
    ]


def test_the_box_around_an_outline_as_drawn_is_no_warning(tmp_path: Path) -> None:
    """An outline over the edge, or with a sliver beside it, has a wider box than its mask."""
    coco = content()
    over = [[-9, -9, 20, -9, 20, 20, -9, 20], [20, 30, 20.1, 30, 20.1, 36]]
    coco["annotations"] = [
        {"id": 1, "image_id": 1, "category_id": 36, "segmentation": over},
        {"id": 2, "image_id": 2, "category_id": 36, "segmentation": over, "bbox": [-9, -9, 29.1, 45]},
    ]
    assert [p for p in find_problems(write(tmp_path, coco)) if p.kind == "box"] == []
    coco["annotations"][1]["bbox"] = [0, 0, 10, 10]
    (problem,) = [p for p in find_problems(write(tmp_path, coco)) if p.kind == "box"]
    assert problem.what.startswith("its bbox [0, 0, 10, 10] is not the one around its mask")


def test_nothing_to_train_on_is_a_warning(tmp_path: Path) -> None:
    coco = content() | {"annotations": []}
    assert of(find_problems(write(tmp_path, coco)), "warning") == [(None, None, "holds no object")]


def test_an_unreadable_file_is_one_error(tmp_path: Path) -> None:
    (problem,) = find_problems(tmp_path / "none.json")
    assert problem.line(Path("none.json")) == "none.json: does not exist; check the path of the dataset"


def test_teeth_against_the_order_of_the_arch(tmp_path: Path) -> None:
    """In the first image 34 and 35 are exchanged; in the second left and right are."""
    coco = content()
    rows = {1: ["43", "33", "35", "34", "36"], 2: ["36", "35", "33", "43", "46"]}
    coco["categories"] = [{"id": int(n), "name": n} for n in sorted({n for row in rows.values() for n in row})]
    coco["annotations"] = [
        {"id": 10 * image + place, "image_id": image, "category_id": int(number), "segmentation": compressed(tooth)}
        for image, row in rows.items()
        for place, number in enumerate(row)
        for tooth in [block(5, 2 + 11 * place, 30, 11 + 11 * place)]
    ]
    problems = find_problems(write(tmp_path, coco))
    assert of(problems, "error") == []
    assert of(problems, "warning") == [
        (1, None, "tooth 34 lies to the right of 35, against the order of the arch"),
        (2, None, "its tooth numbers run from the patient's left to the right"),
    ]
