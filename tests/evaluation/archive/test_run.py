"""Charts of a folder: what is written, what is skipped, what is done again, and what an error leaves."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dentasam.data.dataset import Dataset
from dentasam.data.formats.registry import import_dataset
from dentasam.errors import ChartError, DatasetError, OutputError
from dentasam.evaluation.archive import one_image
from dentasam.evaluation.archive.images import Shard
from dentasam.evaluation.archive.run import MAX_FAULTS_IN_A_ROW, ChartSummary, chart_to_folder
from dentasam.evaluation.archive.settings import ChartSettings

from ...linked_away import linked_away
from .stand_in import StandIn, contents, save_image

PERMANENT = {f"{quadrant}{tooth}" for quadrant in range(1, 5) for tooth in range(1, 9)}


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Images with 2, 7, 0, 5 and 3 objects; one in a subfolder has the name of another."""
    for name, count in {"a.png": 2, "b.png": 7, "c.png": 0, "sub/a.png": 5, "sub/d.png": 3}.items():
        save_image(tmp_path / "scans" / name, count)
    return tmp_path / "scans"


def charted(
    given: Path,
    out: Path,
    model: StandIn | None = None,
    resume: bool = False,
    shard: Shard | None = None,
    lines: list[str] | None = None,
    **settings: Any,
) -> ChartSummary:
    model = model or StandIn()
    warnings: list[str] = [] if lines is None else lines
    return chart_to_folder(
        [given],
        out,
        lambda device: model,  # type: ignore[arg-type, return-value]
        ChartSettings(**settings),
        resume=resume,
        shard=shard,
        cpu=True,
        say=lambda line: None,
        warn=warnings.append,
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_dataset_with_both_tables(scans: Path, tmp_path: Path) -> None:
    done = charted(scans, tmp_path / "out")
    assert done.totals is not None
    assert (done.images, done.charted, done.waiting, done.refused) == (5, 5, 0, ())
    assert (done.totals.images, done.totals.teeth, done.totals.implants) == (5, 15, 2)
    dataset = Dataset.load(tmp_path / "out" / "dataset.json")
    assert [len(image.objects) for image in dataset.images] == [2, 7, 0, 5, 3]
    assert [image.path.read_bytes() for image in dataset.images] == [
        (scans / name).read_bytes() for name in ("a.png", "b.png", "c.png", "sub/a.png", "sub/d.png")
    ]
    expected = np.zeros((48, 96), bool)
    expected[8:14, 12:16] = True
    np.testing.assert_array_equal(dataset.images[0].masks()[1], expected)
    content = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert {each["name"]: each["id"] for each in content["categories"]}.items() >= {"36": 36, "implant": 101}.items()
    seventh = content["annotations"][8]
    assert (seventh["id"], seventh["image_id"], seventh["category_id"]) == (9, 2, 101)
    assert (seventh["score"], seventh["confidence"], seventh["bbox"]) == (0.9, 0.35, [62.0, 8.0, 4.0, 6.0])

    objects = (tmp_path / "out" / "chart.csv").read_text().splitlines()
    assert objects[:3] == [
        "image,number,confidence,score,x0,y0,x1,y1,area_px,area_mm2",
        "a.png,18,0.9500,0.9000,2,8,6,14,24,",
        "a.png,11,0.8500,0.9000,12,8,16,14,24,",
    ]
    assert len(objects) == 18
    second = rows(tmp_path / "out" / "charts.csv")[1]
    assert {key: second[key] for key in second if key not in ("seconds", "missing")} == {
        "image": "b.png",
        "width": "96",
        "height": "48",
        "teeth": "5",
        "implants": "2",
        "unsure": "",
        "mean_confidence": "0.6500",
        "error": "",
    }
    assert set(second["missing"].split()) == PERMANENT - {"18", "11", "21", "28", "36"}
    for name in ("a.png", "sub/a.png"):
        assert np.asarray(Image.open(tmp_path / "out" / "overlays" / f"{name}.jpg")).shape == (48, 96, 3)


@pytest.mark.parametrize("format", ["png", "labels"])
def test_other_formats_are_read_back(scans: Path, tmp_path: Path, format: str) -> None:
    """One image each may have the same stem as another: `a.png` and `a.jpg`."""
    Image.open(scans / "b.png").save(scans / "a.tif")
    charted(scans, tmp_path / "coco")
    charted(scans, tmp_path / format, format=format)
    read = Dataset.load(import_dataset(format, tmp_path / format, tmp_path / "read"))
    expected = Dataset.load(tmp_path / "coco" / "dataset.json")
    assert len(read.images) == 6
    for found, wanted in zip(read.images, expected.images, strict=True):
        assert found.file_name == wanted.file_name
        assert [each.category for each in found.objects] == [each.category for each in wanted.objects]
        np.testing.assert_array_equal(found.masks(), wanted.masks())


def test_formats_that_need_all_images_at_once_are_refused() -> None:
    with pytest.raises(DatasetError, match="charts are not written as nnunet; take one of coco, png, labels"):
        ChartSettings("nnunet")


def test_without_copies_and_overlays(scans: Path, tmp_path: Path) -> None:
    charted(scans, tmp_path / "out", overlays=False, copy_images=False)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "chart.csv",
        "charts",
        "charts.csv",
        "dataset.json",
        "run.json",
    ]
    assert Dataset.load(tmp_path / "out" / "dataset.json", images=scans).objects == 17


def test_unsure_objects_are_left_out_and_are_not_missing(scans: Path, tmp_path: Path) -> None:
    """Confidences are 0.95, 0.85, … 0.35; the numbers left out at 0.6 are those of the fifth object and after."""
    done = charted(scans, tmp_path / "out", min_confidence=0.6)
    assert done.totals is not None
    assert (done.totals.teeth, done.totals.implants, done.totals.unsure) == (13, 0, 4)
    second = rows(tmp_path / "out" / "charts.csv")[1]
    assert second["unsure"] == "36 implant implant"
    assert "36" not in second["missing"].split()
    assert [row["number"] for row in rows(tmp_path / "out" / "chart.csv") if row["image"] == "b.png"] == [
        "18",
        "11",
        "21",
        "28",
    ]


def test_a_resumed_run_charts_what_changed_alone(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    charted(scans, out)
    before = contents(out)
    model = StandIn()
    assert charted(scans, out, model, resume=True).charted == 0
    assert (model.charted, contents(out)) == ([], before)

    save_image(scans / "a.png", 6)  # another content
    (out / "overlays" / "c.png.jpg").write_bytes(b"cut")  # not whole any more
    (out / "charts" / "sub" / "d.png.json").write_text("{")
    save_image(scans / "e.png", 1)
    assert charted(scans, out, model, resume=True).charted == 4
    assert sorted(model.charted) == [0, 1, 3, 6]
    charted(scans, tmp_path / "anew")
    assert contents(out) == contents(tmp_path / "anew")


def test_files_of_an_earlier_state_are_removed(scans: Path, tmp_path: Path) -> None:
    """The masks of `a.png` are in `masks/a` until another image of that stem comes."""
    out = tmp_path / "out"
    charted(scans, out, format="png")
    save_image(scans / "b.png", 1)
    Image.open(scans / "c.png").save(scans / "a.tif")
    charted(scans, out, resume=True, format="png")
    charted(scans, tmp_path / "anew", format="png")
    assert contents(out) == contents(tmp_path / "anew")


def test_images_that_are_gone_are_reported(scans: Path, tmp_path: Path) -> None:
    charted(scans, tmp_path / "out")
    (scans / "b.png").unlink()
    lines: list[str] = []
    charted(scans, tmp_path / "out", resume=True, lines=lines)
    assert lines == [
        f"{tmp_path / 'out'} also holds charts of images that were not given: b.png; the tables leave them out"
    ]
    assert [row["image"] for row in rows(tmp_path / "out" / "charts.csv")] == [
        "a.png",
        "c.png",
        "sub/a.png",
        "sub/d.png",
    ]


@pytest.mark.parametrize(
    ("model", "settings", "differs"),
    [
        (StandIn(name="sam-hq-vit-b"), {}, "model dentasam-tiny, now sam-hq-vit-b"),
        (StandIn(adapter=None), {}, "adapter panoramic-teeth, now none; hash of the adapter "),
        (StandIn(weights="2" * 64), {}, "hash of the adapter "),
        (StandIn(precision="bf16"), {}, "precision fp32, now bf16"),
        (StandIn(), {"format": "png", "min_confidence": 0.5}, "format coco, now png; min-confidence 0.0, now 0.5"),
    ],
)
def test_charts_made_in_another_way_are_not_mixed(
    scans: Path, tmp_path: Path, model: StandIn, settings: dict[str, Any], differs: str
) -> None:
    charted(scans, tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(OutputError, match=f"holds charts made in another way .{differs}") as raised:
        charted(scans, tmp_path / "out", model, resume=True, **settings)
    assert "\n" not in str(raised.value)
    assert (model.charted, contents(tmp_path / "out")) == ([], before)


def test_a_chart_of_another_run_is_made_again(scans: Path, tmp_path: Path) -> None:
    """As when somebody replaced run.json, or copied charts of another model into the folder."""
    charted(scans, tmp_path / "out")
    path = tmp_path / "out" / "charts" / "a.png.json"
    path.write_text(path.read_text().replace('"run": "', '"run": "0'))
    model = StandIn()
    assert charted(scans, tmp_path / "out", model, resume=True).charted == 1
    assert model.charted == [2]


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_in_use_is_left_alone(scans: Path, tmp_path: Path, resume: bool) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(OutputError, match="choose another --out"):
        charted(scans, tmp_path / "out", resume=resume)
    charted(scans, tmp_path / "done")
    with pytest.raises(OutputError, match="is in use .*; add --resume to go on, or choose another --out"):
        charted(scans, tmp_path / "done")
    assert list(contents(tmp_path / "out")) == ["thesis.tex"]


def test_without_a_chart_head_nothing_is_written(scans: Path, tmp_path: Path) -> None:
    with pytest.raises(ChartError, match="dentasam-tiny with no adapter has no chart head"):
        charted(scans, tmp_path / "out", StandIn(adapter=None, has_chart=False))
    assert not (tmp_path / "out").exists()


def test_bad_images_are_listed_and_not_tried_again(scans: Path, tmp_path: Path) -> None:
    (scans / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (scans / "text.dcm").write_text("not an image")
    (scans / "=cut.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    done = charted(scans, tmp_path / "out")
    assert done.totals is not None
    assert (done.charted, done.totals.images) == (8, 5)
    assert [(each.image, each.internal) for each in done.refused] == [
        ("=cut.jpg", False),
        ("broken.png", False),
        ("text.dcm", False),
    ]
    assert all(str(scans / each.image) in each.error and "\n" not in each.error for each in done.refused)
    table = rows(tmp_path / "out" / "charts.csv")
    assert [row["image"] for row in table if row["error"]] == ["'=cut.jpg", "broken.png", "text.dcm"]
    assert Dataset.load(tmp_path / "out" / "dataset.json").objects == 17

    again = charted(scans, tmp_path / "out", resume=True)
    assert (again.charted, again.refused) == (0, done.refused)
    save_image(scans / "broken.png", 4)
    mended = charted(scans, tmp_path / "out", resume=True)
    assert (mended.charted, len(mended.refused)) == (1, 2)


def test_an_error_of_the_program_is_listed_and_tried_again(scans: Path, tmp_path: Path) -> None:
    save_image(scans / "bad.png", 99)
    done = charted(scans, tmp_path / "out")
    assert [(each.image, each.internal) for each in done.refused] == [("bad.png", True)]
    assert done.refused[0].error.startswith("internal error: ZeroDivisionError: no tooth (stand_in.py:")
    assert done.totals is not None
    assert done.totals.images == 5
    model = StandIn()
    assert charted(scans, tmp_path / "out", model, resume=True).charted == 1
    assert model.charted == [99]


def test_an_error_of_the_program_leaves_no_file_of_the_image(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    # The last thing that is written.
    monkeypatch.setattr(one_image, "copy_whole", broken)
    out = tmp_path / "out"
    done = charted(scans, out, format="png")
    assert [each.internal for each in done.refused] == [True] * 5
    left = [path.relative_to(out).parts[0] for path in out.rglob("*") if path.is_file()]
    assert set(left).isdisjoint({"masks", "overlays", "images"})


def test_an_error_in_every_image_ends_the_run(tmp_path: Path) -> None:
    for number in range(MAX_FAULTS_IN_A_ROW + 5):
        save_image(tmp_path / "scans" / f"{number:02}.png", 99)
    model = StandIn()
    with pytest.raises(RuntimeError, match=f"{MAX_FAULTS_IN_A_ROW} images failed one after the other"):
        charted(tmp_path / "scans", tmp_path / "out", model)
    assert len(model.charted) < MAX_FAULTS_IN_A_ROW + 5


def test_an_error_that_every_image_would_meet_ends_the_run(scans: Path, tmp_path: Path) -> None:
    save_image(scans / "a.png", 99)
    with pytest.raises(ChartError, match="damaged"):
        charted(scans, tmp_path / "out", StandIn(fault=ChartError("the chart head is damaged")))
    assert not (tmp_path / "out" / "chart.csv").exists()


@pytest.mark.parametrize("format", ["coco", "labels"])
def test_shards_give_what_one_run_gives(scans: Path, tmp_path: Path, format: str) -> None:
    (scans / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    charted(scans, tmp_path / "one", format=format)
    waiting = [charted(scans, tmp_path / "four", shard=Shard(i, 4), format=format).waiting for i in (3, 1, 4, 2)]
    assert waiting == [5, 3, 2, 0]
    assert contents(tmp_path / "four") == contents(tmp_path / "one")


def test_tables_of_killed_shards_come_with_a_resumed_run(scans: Path, tmp_path: Path) -> None:
    charted(scans, tmp_path / "one")
    assert charted(scans, tmp_path / "two", shard=Shard(1, 2)).totals is None
    assert not (tmp_path / "two" / "chart.csv").exists()
    with pytest.raises(OutputError, match="format coco, now png"):
        charted(scans, tmp_path / "two", shard=Shard(2, 2), format="png")
    done = charted(scans, tmp_path / "two", resume=True)
    assert done.charted == 2
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


def test_tables_wait_for_a_chart_of_another_shard_that_is_damaged(scans: Path, tmp_path: Path) -> None:
    """And while a resumed run charts, there are no tables of an earlier state."""
    out = tmp_path / "out"
    charted(scans, out)
    (out / "charts" / "a.png.json").write_text("{")
    save_image(scans / "b.png", 1)
    assert charted(scans, out, shard=Shard(2, 2)).waiting == 1
    assert not (out / "charts.csv").exists()
    assert charted(scans, out, shard=Shard(1, 2)).waiting == 0
    charted(scans, tmp_path / "anew")
    assert contents(out) == contents(tmp_path / "anew")


def test_several_images_at_once_give_the_same(scans: Path, tmp_path: Path) -> None:
    charted(scans, tmp_path / "one")
    charted(scans, tmp_path / "three", StandIn(images_at_once=3, pause=0.01))
    assert contents(tmp_path / "three") == contents(tmp_path / "one")


def test_areas_in_millimetres_where_the_file_states_its_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dentasam.data.images.read import read_header

    monkeypatch.setattr(one_image, "read_header", lambda path: replace(read_header(path), mm_per_pixel=0.1))
    save_image(tmp_path / "scans" / "a.png", 1)
    charted(tmp_path / "scans", tmp_path / "out")
    (row,) = rows(tmp_path / "out" / "chart.csv")
    assert (row["area_px"], row["area_mm2"]) == ("24", "0.24")


PLACES = (
    *("images", "images/sub", "images/a.png", "overlays", "overlays/a.png.jpg", "charts", "charts/a.png.json"),
    *("masks", "masks/a", "run.json", "dataset.json", "chart.csv", "other", "sub/other", ".x.00000000.1.1.part"),
)


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_written_through_a_link_in_the_folder_to_go_on_with(
    scans: Path, tmp_path: Path, place: str
) -> None:
    out, model = tmp_path / "out", StandIn()
    charted(scans, out, format="png")
    for name, count in {"a.png": 3, "sub/d.png": 1, "new.png": 4}.items():
        save_image(scans / name, count, shade=9)
    # The card is read in any case, and a link to it is found all the same.
    with linked_away(out / place, tmp_path / "outside"):
        charted(scans, out, model, resume=True, format="png")
    assert model.charted == []


def test_the_folder_itself_may_be_a_link(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk")
    charted(scans, tmp_path / "out")
    save_image(scans / "new.png", 4)
    assert charted(scans, tmp_path / "out", resume=True).charted == 1
    assert (tmp_path / "disk" / "images" / "new.png").is_file()
