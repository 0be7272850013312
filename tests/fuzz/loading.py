"""Loads what the cases need before the first is forked, without starting a thread."""

import gc
import importlib
import os
import pkgutil
import threading
import warnings

from .huge_pages import use_huge_pages

# Read when the libraries are loaded.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# Loaded inside functions of the package.
OTHERS = (
    "alembic.autogenerate",
    "alembic.command",
    "alembic.runtime.migration",
    "sqlalchemy.dialects.sqlite",
    "tifffile",
    "imagecodecs",
    "pydicom.pixels",
    "gdcm",
    "jpeg_ls",
    "onnx",
    "onnxruntime",
    "nibabel",
)
# No case trains, and what augments images takes a second to load.
UNUSED = (
    "dentasam.demo",
    "dentasam.training.run.loop",
    "dentasam.training.run.training_run",
    "dentasam.training.run.validation",
    "dentasam.training.run.window_validation",
    "dentasam.training.samples.augmentation",
    "dentasam.training.samples.crop",
    "dentasam.training.samples.image_samples",
    "dentasam.training.samples.visible_objects",
    "dentasam.training.samples.whole_image",
)


def load_everything() -> None:
    """Imports the modules of the package and its libraries, and the models that are loaded once."""
    for name in THREADS:
        os.environ[name] = "1"
    os.environ |= {"HF_HUB_OFFLINE": "1", "COLUMNS": "120", "TERM": "dumb", "MPLBACKEND": "Agg"}
    os.environ.pop("DENTASAM_TRACEBACK", None)
    warnings.simplefilter("ignore")
    import cv2
    import torch
    from PIL import Image

    import dentasam

    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    for module in pkgutil.walk_packages(dentasam.__path__, "dentasam."):
        if not (module.name.startswith(UNUSED) or module.name.endswith("__main__") or ".migrations" in module.name):
            importlib.import_module(module.name)
    for other in OTHERS:
        importlib.import_module(other)
    Image.init()
    from .examples import models

    models.bundled_model()
    models.small_segmenter()
    # A collection in a case would copy all pages of what is loaded here.
    gc.collect()
    gc.freeze()
    use_huge_pages()
    assert threading.active_count() == 1, "a process with several threads must not be forked"
