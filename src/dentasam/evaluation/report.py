"""The page of one run: figures, tables and the worst cases in a single HTML file without scripts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from dentasam.data.images.pictures import PREDICTION, TRUTH, data_uri, displayable
from dentasam.evaluation.bootstrap import cluster_bootstrap, share_bootstrap
from dentasam.evaluation.charts.chart_report import chart_section
from dentasam.evaluation.charts.chart_result import ChartResult
from dentasam.evaluation.click_shares import KINDS
from dentasam.evaluation.figures import Curve, click_curves, distribution, share_curves, to_svg
from dentasam.evaluation.overlays import close_up, close_up_box, decoded
from dentasam.evaluation.result import (
    NOC_DICE_THRESHOLDS,
    NOC_THRESHOLDS,
    SURFACE_MEASURES,
    ObjectResult,
    Result,
)
from dentasam.html_page import render

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset

WORST_CASES = 16


@dataclass(frozen=True)
class Case:
    """One object as the page shows it, as `data:` addresses.

    bare: the image alone. first, drawn: with masks and clicks after the first and the last click.
    """

    item: ObjectResult
    bare: str
    first: str
    drawn: str


@dataclass(frozen=True)
class GroupRow:
    """One line of a table: a tag, a tooth type or a category."""

    name: str
    objects: int
    images: int
    dice: list[float]
    noc: float
    failures: int
    hd95_px: float
    nsd_2px: float
    hd95_permille: float
    nsd_1permille: float
    unheeded: float
    repaired: float


def run_report(result: Result | None, charts: ChartResult | None, dataset: "Dataset") -> str:
    """The text of a run's report.html, which needs no other file: its click curve, its charts, or both."""
    run = result or charts
    assert run is not None
    return render(
        "dentasam.evaluation",
        "report.html.j2",
        name=run.name,
        dataset=run.dataset,
        curve=None if result is None else _curve_section(result, dataset),
        charts=None if charts is None else chart_section(charts, dataset),
    )


def _curve_section(result: Result, dataset: "Dataset") -> dict[str, Any]:
    """What `curve_section.html.j2` shows."""
    clusters = [item.image_id for item in result.objects]
    dice = cluster_bootstrap(result.dice(), clusters)
    iou = cluster_bootstrap(result.iou(), clusters)
    return {
        "result": result,
        "metrics": result.metrics(),
        "needed": [("IoU", "", NOC_THRESHOLDS), ("Dice", "_dice", NOC_DICE_THRESHOLDS)],
        "kinds": KINDS,
        "shares": _share_figure(result, clusters),
        "steps": shown_clicks(result.clicks),
        "curve": to_svg(click_curves([Curve("Dice", dice), Curve("IoU", iou)], "Dice, IoU")),
        "distribution": to_svg(distribution(result.dice()[:, 0], result.dice()[:, -1], result.clicks)),
        "intervals": dice,
        "groups": [
            ("By tag", "tag", group_rows(result.by_tag())),
            ("By tooth type", "tooth type", group_rows(result.by_tooth_type())),
            ("By category", "category", group_rows(result.by_category())),
        ],
        "cases": worst_cases(result, dataset),
    }


def _share_figure(result: Result, clusters: list[int]) -> Markup | None:
    """Unheeded, repaired and repeated clicks; None for a result of an earlier version."""
    curves = []
    for kind in KINDS:
        events = result.click_events(kind)
        if events is None:
            return None
        curves.append(Curve(kind, share_bootstrap(events.hits, events.given, clusters)))
    return to_svg(share_curves(curves, "share of the clicks given"))


def shown_clicks(clicks: int) -> list[int]:
    """Numbers of clicks that tables show: 1, 2, 3, 5, 8 and the last."""
    return sorted({k for k in (1, 2, 3, 5, 8) if k < clicks} | {clicks})


def group_rows(groups: dict[str, Result]) -> list[GroupRow]:
    """The means of each group; NoC and failures at IoU 0.90."""
    rows = []
    for name, part in groups.items():
        noc, failed = part.noc()
        surface = dict(zip(SURFACE_MEASURES, part.surface().T.mean(axis=1).tolist(), strict=True))
        events = {kind: part.click_events(kind) for kind in ("unheeded", "repaired")}
        shares = {
            kind: float("nan") if found is None else float(found.corrections.share()[0])
            for kind, found in events.items()
        }
        rows.append(
            GroupRow(
                name=name,
                objects=len(part.objects),
                images=part.images,
                dice=part.dice().mean(axis=0).tolist(),
                noc=float(noc[:, -1].mean()),
                failures=int(failed[:, -1].sum()),
                hd95_px=surface["hd95_px"],
                nsd_2px=surface["nsd_2px"],
                hd95_permille=surface["hd95_permille"],
                nsd_1permille=surface["nsd_1permille"],
                **shares,
            )
        )
    return rows


def worst_cases(result: Result, dataset: "Dataset", count: int = WORST_CASES) -> list[Case]:
    """The objects with the lowest Dice after the last click, worst first."""
    worst = sorted(result.objects, key=lambda item: (item.dice[-1], item.object_id))[:count]
    records = {record.id: record for record in dataset.images}
    cases: dict[int, Case] = {}
    for image_id in dict.fromkeys(item.image_id for item in worst):
        record = records[image_id]
        image = displayable(record.read())
        labelled = {entry.id: entry for entry in record.objects}
        for item in (item for item in worst if item.image_id == image_id):
            truth = labelled[item.object_id].mask(record.height, record.width)
            box = close_up_box(truth, item)
            pictures = [
                close_up(image, box, [(truth, TRUTH), (decoded(mask, truth.shape), PREDICTION)], item, clicks, 240)
                for mask, clicks in ((item.first, 1), (item.final, None))
            ]
            bare = close_up(image, box, width=240)
            cases[item.object_id] = Case(item, data_uri(bare), data_uri(pictures[0]), data_uri(pictures[1]))
    return [cases[item.object_id] for item in worst]
