"""What a run of charts is asked for, and what it needs of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from dentasam.errors import DatasetError

if TYPE_CHECKING:
    import numpy as np
    import torch

    from dentasam.model.adapters.segmenter_adapters import AdapterSwitch
    from dentasam.model.chart.chart import Chart
    from dentasam.model.checkpoints.loading import ModelInfo
    from dentasam.model.network import Network

# Those whose files can be written image by image.
FORMATS = ("coco", "png", "labels")


@dataclass(frozen=True)
class ChartSettings:
    """format: of the masks, one of FORMATS. windows: decode the worst masks again in windows cut from the image's own
    pixels.

    min_confidence: objects below it are left out. overlays: draw each chart on its image. copy_images: put a copy of
    each image beside the masks, which makes the folder a dataset of its own. Raises DatasetError for another format.
    """

    format: str = "coco"
    windows: bool = True
    min_confidence: float = 0.0
    overlays: bool = True
    copy_images: bool = True

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise DatasetError(
                f"charts are not written as {self.format}; take one of {', '.join(FORMATS)}, and convert the result "
                "with `dentasam data import` and `dentasam data export`"
            )


class ChartMaker(Protocol):
    """The part of a `Segmenter` that charts need."""

    model: Network
    info: ModelInfo
    adapters: AdapterSwitch

    @property
    def name(self) -> str: ...

    @property
    def adapter(self) -> str | None: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def precision(self) -> str: ...

    @property
    def images_at_once(self) -> int: ...

    @property
    def has_chart(self) -> bool: ...

    @property
    def chart_sha256(self) -> str | None: ...

    def chart(self, image: np.ndarray, *, windows: bool = True) -> Chart:
        """The chart of an image (H, W) uint8 or uint16."""
