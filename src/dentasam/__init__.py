"""Adapt SAM-HQ to dental panoramic X-rays, and measure what the adaptation is worth click by click.

import dentasam
segmenter = dentasam.load("dentasam-tiny", adapter="panoramic-teeth")

The names in `__all__` are the public interface: within a major version they keep their names, arguments and results.
Whatever lies deeper in the package may move with any version.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dentasam.version import __version__ as __version__

if TYPE_CHECKING:
    from dentasam.data.dataset import Dataset as Dataset
    from dentasam.data.images.read import read_image as read_image
    from dentasam.errors import AdapterError as AdapterError
    from dentasam.errors import ChartError as ChartError
    from dentasam.errors import CheckpointError as CheckpointError
    from dentasam.errors import DatasetError as DatasetError
    from dentasam.errors import DentasamError as DentasamError
    from dentasam.errors import ExtraError as ExtraError
    from dentasam.errors import ImageError as ImageError
    from dentasam.errors import OutputError as OutputError
    from dentasam.errors import PacsError as PacsError
    from dentasam.errors import PromptError as PromptError
    from dentasam.errors import RecipeError as RecipeError
    from dentasam.errors import WorkspaceError as WorkspaceError
    from dentasam.evaluation.evaluate import evaluate as evaluate
    from dentasam.evaluation.metrics import overlap as overlap
    from dentasam.model.chart.chart import Chart as Chart
    from dentasam.model.chart.numbering import Numbering as Numbering
    from dentasam.model.embedding import ImageEmbedding as ImageEmbedding
    from dentasam.model.runtime import load as load
    from dentasam.model.segmenter import Prediction as Prediction
    from dentasam.model.segmenter import Segmenter as Segmenter
    from dentasam.model.windows.objects import ObjectAnswer as ObjectAnswer
    from dentasam.model.windows.objects import ObjectPrompt as ObjectPrompt
    from dentasam.model.windows.window_prediction import WindowPrediction as WindowPrediction
    from dentasam.model.windows.windowed_image import WindowedImage as WindowedImage
    from dentasam.prompts.correction_clicks import correction_clicks as correction_clicks
    from dentasam.prompts.correction_clicks import interior_centre as interior_centre

_ERRORS = (
    "AdapterError",
    "ChartError",
    "CheckpointError",
    "DatasetError",
    "DentasamError",
    "ExtraError",
    "ImageError",
    "OutputError",
    "PacsError",
    "PromptError",
    "RecipeError",
    "WorkspaceError",
)
_MODULES = {
    "load": "dentasam.model.runtime",
    "Segmenter": "dentasam.model.segmenter",
    "Prediction": "dentasam.model.segmenter",
    "Chart": "dentasam.model.chart.chart",
    "Numbering": "dentasam.model.chart.numbering",
    "ImageEmbedding": "dentasam.model.embedding",
    "WindowedImage": "dentasam.model.windows.windowed_image",
    "WindowPrediction": "dentasam.model.windows.window_prediction",
    "ObjectPrompt": "dentasam.model.windows.objects",
    "ObjectAnswer": "dentasam.model.windows.objects",
    "Dataset": "dentasam.data.dataset",
    "read_image": "dentasam.data.images.read",
    "interior_centre": "dentasam.prompts.correction_clicks",
    "correction_clicks": "dentasam.prompts.correction_clicks",
    "evaluate": "dentasam.evaluation.evaluate",
    "overlap": "dentasam.evaluation.metrics",
    **dict.fromkeys(_ERRORS, "dentasam.errors"),
}
__all__ = ["__version__", *sorted(_MODULES)]


def __getattr__(name: str) -> Any:
    # PEP 562: `import dentasam` loads neither torch nor numpy, so that the command's help appears at once.
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'dentasam' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
