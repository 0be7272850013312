"""A loaded model for notebooks, services, evaluation and the labelling tool: image in, masks out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dentasam.errors import ImageError, PromptError
from dentasam.model.adapters.segmenter_adapters import AdapterSwitch, LoadedAdapters
from dentasam.model.chart.chart import Chart
from dentasam.model.chart.charting import MAX_FINER, chart_of
from dentasam.model.chart.head import ChartHead
from dentasam.model.chart.numbering import Numbering, numbered
from dentasam.model.chart.segmenter_chart import SegmenterChart
from dentasam.model.checkpoints.loading import ModelInfo, load_model
from dentasam.model.core.frame import Frame
from dentasam.model.core.full_resolution import full_masks
from dentasam.model.core.memory import keep_freed_memory
from dentasam.model.core.precision import Precision, arithmetic, autocast_type
from dentasam.model.core.prompt import LOGIT_LIMIT, Prompts
from dentasam.model.core.prompt_arrays import checked_clicks
from dentasam.model.decoder.mask_decoder import Output
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.network import Network
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.window_cache import WindowCache
from dentasam.model.windows.windowed_image import WindowedImage

# Memory for the objects that are decoded at a time on a CPU: 16 of a panoramic. With all 32 it is no faster.
DECODE_BYTES = 2**29
# Windows that are kept for each object: the present one, and one that it moves to.
WINDOWS_OF_OBJECT = 2


@dataclass(frozen=True)
class Prediction:
    """The masks of P objects.

    masks: (P, H, W) bool, at the image's resolution. logits: (P, h, w) float32, to pass to the next `predict`.
    scores: (P,) predicted IoU.
    """

    masks: np.ndarray
    logits: np.ndarray
    scores: np.ndarray


class Segmenter:
    """A network with its adapters. Encode an image once, then predict as often as needed.

    Opened by `dentasam.load`. `sparse_upscaling`, True at first, computes logits exactly only around each object and
    estimates them elsewhere.
    """

    def __init__(
        self,
        model: Network,
        info: ModelInfo,
        adapters: AdapterSwitch,
        precision: Precision = "auto",
        sparse_upscaling: bool = True,
        chart: str | Path | None = None,
    ) -> None:
        """precision: of the encoder, "auto" for bf16 where the device is fast at it. The decoder computes in fp32.

        chart: folder of a chart head; None takes the one in the adapter's folder, where there is one.
        """
        self.model = model
        self.info = info
        self.adapters = adapters
        self.sparse_upscaling = sparse_upscaling
        self.autocast = autocast_type(precision, model.device)
        self._window_cache = WindowCache()
        self._chart_folder = None if chart is None else Path(chart)
        self._charts = SegmenterChart(info, adapters, self._chart_folder)

    @property
    def name(self) -> str:
        """The base model's name."""
        return self.info.name

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        return self.model.device

    @property
    def precision(self) -> Precision:
        """Precision of the encoder, as the device has it: "fp32" or "bf16", never "auto"."""
        return "fp32" if self.autocast is None else "bf16"

    @property
    def images_at_once(self) -> int:
        """How many images to work on at a time, each in a thread of its own with one thread of torch.

        On a CPU as many as torch has threads, which then need not wait for each other. A GPU and ONNX Runtime share
        out an image by themselves.
        """
        return torch.get_num_threads() if self.device.type == "cpu" and self.model.runtime == "torch" else 1

    @property
    def adapter(self) -> str | None:
        """The adapter in use, by its name or folder as it was given; None for the base alone."""
        return self.adapters.in_use

    def load_adapter(self, name_or_dir: str | Path) -> None:
        """Load an adapter by its bundled name or folder and use it. Raises AdapterError."""
        self.adapters.load(name_or_dir)

    def use_adapter(self, name_or_dir: str | Path | None) -> None:
        """Use an adapter that is loaded already, or the base alone for None. Raises AdapterError.

        Embeddings encoded with another adapter are not valid any more.
        """
        self.adapters.use(name_or_dir)

    def merged(self) -> Segmenter:
        """A segmenter with the adapter in use merged into a copy of the base; itself where there is nothing to merge.

        It decodes a third faster and cannot switch adapters. Raises AdapterError where the adapter cannot be merged.
        """
        merged = self.adapters.merged()
        if merged is None:
            return self
        model, adapters = merged
        return Segmenter(model, self.info, adapters, self.precision, self.sparse_upscaling, self._chart_folder)

    @torch.inference_mode()
    def encode(self, image: np.ndarray) -> ImageEmbedding:
        """The embedding of a grayscale image (H, W), uint8 or uint16. Raises ImageError for anything else."""
        if not isinstance(image, np.ndarray) or image.ndim != 2 or image.dtype not in (np.uint8, np.uint16):
            found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise ImageError(f"encode takes one grayscale image (H, W) of uint8 or uint16, not {found}")
        if image.size == 0:
            raise ImageError(f"encode takes an image with pixels, not one of shape {image.shape}")
        frame = Frame.of(*image.shape)
        with arithmetic(self.autocast, self.device):
            embedding = self.model.encode(frame.pixels(image).to(self.device), frame)
        return embedding.to(dtype=self.model.dtype)

    @torch.inference_mode()
    def for_clicks(self, embedding: ImageEmbedding) -> ImageEmbedding:
        """The embedding on this device, with all that can be computed before the prompts, for repeated clicks.

        It takes twice the memory and is valid for the adapter in use. `predict` takes either embedding.
        """
        return self.model.with_projections(embedding.to(self.device, self.model.dtype))

    def windows(
        self,
        image: np.ndarray,
        embedding: ImageEmbedding | None = None,
        *,
        windows: bool = True,
        repair: bool = True,
        objects: int | None = None,
    ) -> WindowedImage:
        """The image for decoding object by object in windows cut from its own pixels, where corrections are heeded.

        image: (H, W) uint8 or uint16. embedding: what `encode` gave for it; encoded here if None.
        windows: False decodes on the whole image, as `predict` does. repair: False leaves clicks that the mask still
        contradicts as they are. objects: how many there are to decode together, so that the windows of all are kept
        with this image; without it, the segmenter keeps the latest 96 windows of all its images. Valid for the
        adapter in use. `WindowedImage.predict` takes arrays as `predict` does, `decode` and `choices` take objects
        one by one. Raises ImageError as `encode`, and for an embedding of an image of another size.
        """
        if embedding is None:
            embedding = self.encode(image)
        elif windows and image.shape != (embedding.frame.height, embedding.frame.width):
            size = f"{embedding.frame.height} x {embedding.frame.width}"
            raise ImageError(f"the embedding is of {size} pixels, the image has {image.shape}; encode this image")
        return self._opened(image, embedding, windows=windows, repair=repair, objects=objects)

    def _opened(
        self,
        image: np.ndarray,
        embedding: ImageEmbedding,
        *,
        windows: bool,
        repair: bool = True,
        objects: int | None = None,
    ) -> WindowedImage:
        return WindowedImage(
            self.model,
            image,
            self.for_clicks(embedding),
            self._window_cache if objects is None else WindowCache(WINDOWS_OF_OBJECT * objects),
            lambda: f"{self.info.sha256} {self.adapters.identity()}",
            self.autocast,
            windows=windows,
            repair=repair,
            sparse_upscaling=self.sparse_upscaling,
        )

    @property
    def has_chart(self) -> bool:
        """Whether there is a chart head for the adapter in use, so that `chart` finds and numbers teeth."""
        return self._charts.folder() is not None

    @property
    def chart_sha256(self) -> str | None:
        """The hash of the chart head's weights; None where there is none."""
        return self._charts.sha256()

    def chart_head(self) -> ChartHead:
        """The finder and the numberer for the adapter in use. Raises ChartError as `chart`."""
        return self._charts.head(self.device)

    def copy_chart(self, folder: Path) -> None:
        """Copy the chart head, where there is one, into a folder. Raises ChartError and OSError."""
        self._charts.copy(folder)

    def chart(
        self,
        image: np.ndarray | ImageEmbedding | WindowedImage,
        *,
        windows: bool = True,
        finer: int | None = MAX_FINER,
    ) -> Chart:
        """Every tooth and implant of an image, found, outlined and numbered.

        image: (H, W) uint8 or uint16; or what `windows` gave for it; or its embedding alone, on which masks are
        decoded on the whole image. windows: False does so for pixels too, which is faster and coarser. finer: so many
        masks, the worst first, and all that miss their boxes, are decoded in object windows; 0 for none, None for
        all, which takes a second longer.
        Raises ChartError where there is no chart head or it is of another model, ImageError as `encode`.
        """
        head = self._charts.head(self.device)
        if isinstance(image, ImageEmbedding):
            image = self._opened(np.zeros((1, 1), np.uint8), image, windows=False)
        elif not isinstance(image, WindowedImage):
            image = self.windows(image, windows=windows)
        return chart_of(head, image, finer)

    def number(
        self,
        boxes: np.ndarray,
        size: tuple[int, int],
        known: Sequence[str | None] | None = None,
        masks: Sequence[BoxedMask | None] | None = None,
    ) -> Numbering:
        """Numbers for P objects of an image as a whole, whoever drew them, under the rules of a dentition.

        boxes: (P, 4) x0, y0, x1, y1 in image pixels. size: height and width of the image. known: the number of each
        object that has one already; it stays and is given to no other. masks: of the objects, whose shapes make their
        numbers surer. The image itself is not looked at. Raises ChartError as `chart`, PromptError for boxes of
        another shape, another size, and for `known` or `masks` of another length.
        """
        if len(size) != 2 or min(size) < 1:
            raise PromptError(f"size must be the height and width of the image, not {tuple(size)}")
        boxes = np.asarray(boxes, np.float32)
        if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
            raise PromptError(f"boxes must be (P, 4) finite numbers, not {boxes.shape}")
        if known is not None and len(known) != len(boxes):
            raise PromptError(f"known must have a number or None for each of {len(boxes)} boxes, not {len(known)}")
        if masks is not None and len(masks) != len(boxes):
            raise PromptError(f"masks must have a mask or None for each of {len(boxes)} boxes, not {len(masks)}")
        return numbered(self._charts.head(self.device), boxes, Frame.of(*size), known, masks)

    @torch.inference_mode()
    def predict(
        self,
        embedding: ImageEmbedding,
        clicks: np.ndarray,
        labels: np.ndarray,
        boxes: np.ndarray | None = None,
        logits: np.ndarray | None = None,
        multimask: bool = False,
        output: Output = "sam+hq",
    ) -> Prediction:
        """Masks of P objects, each with its own clicks.

        clicks: (P, k, 2) float x, y in image pixels.
        labels: (P, k), 1 positive, 0 negative, -1 where an object has no such click.
        boxes: (P, 4) x0, y0, x1, y1 in image pixels; a row of NaN where an object has none.
        logits: (P, h, w) of an earlier prediction; NaN where an object has none.
        multimask: choose the best scored of SAM's three masks for an ambiguous prompt.
        output: the masks of SAM's and of SAM-HQ's head together, or of one of them.
        Raises PromptError for arrays of other shapes, values that are not finite, and objects without a prompt.
        """
        frame = embedding.frame
        points, marks = checked_clicks(clicks, labels, boxes)
        if logits is not None and np.shape(logits) != (len(points), *frame.logits):
            raise PromptError(f"logits must be {(len(points), *frame.logits)}, not {np.shape(logits)}")
        corners = None
        if boxes is not None:
            corners = frame.points_to_frame(np.asarray(boxes).reshape(-1, 2, 2)).reshape(-1, 4)
        prompts = Prompts(
            torch.from_numpy(frame.points_to_frame(points)),
            torch.from_numpy(marks),
            None if corners is None else torch.from_numpy(corners),
            None if logits is None else _fed_back(logits),
        ).to(self.device)
        embedding = embedding.to(self.device, self.model.dtype)
        budget = DECODE_BYTES if self.device.type == "cpu" else None
        predicted = self.model.decode(
            embedding, prompts, multimask, output, sparse_upscaling=self.sparse_upscaling, budget=budget
        )
        found = predicted.logits.float().cpu().numpy()
        if self.device.type == "cpu":
            masks = full_masks(found, frame)
        else:
            masks = (frame.logits_to_image(predicted.logits.float()) > 0).cpu().numpy()
        return Prediction(masks, found, predicted.scores.float().cpu().numpy())


def load_torch(
    model: str | Path,
    adapter: str | Path | None = None,
    device: torch.device | str | None = None,
    precision: Precision = "auto",
    chart: str | Path | None = None,
) -> Segmenter:
    """A segmenter on torch, from a model's name or checkpoint path and an adapter's name or folder.

    device: None takes a GPU where there is one. precision, chart: as in `Segmenter`.
    Raises CheckpointError and AdapterError. See also `dentasam.load`, which opens exported models too.
    """
    network, info = load_model(model)
    keep_freed_memory()
    network.to(best_device() if device is None else device).eval().requires_grad_(False)
    segmenter = Segmenter(network, info, LoadedAdapters(network, info), precision, chart=chart)
    if adapter is not None:
        segmenter.load_adapter(adapter)
    return segmenter


def best_device() -> torch.device:
    """A GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _fed_back(logits: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(logits, dtype=np.float32)).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
