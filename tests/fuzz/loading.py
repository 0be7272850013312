"""Loads what the cases need before the first is forked, without starting a thread."""

import gc
import importlib
import os
import pkgutil
import threading
import warnings

# Read when the libraries are loaded.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# Loaded inside functions of the package.
OTHERS = (
    "tifffile",
    "imagecodecs",
    "pydicom.pixels",
    "gdcm",
    "jpeg_ls",
    "onnx",
    "onnxruntime",
    "nibabel",
    "highdicom",
)


def load_everything() -> None:
    """Imports every module of the package and its libraries, and the models that are loaded once."""
    for name in THREADS:
        os.environ[name] = "1"
    os.environ |= {"HF_HUB_OFFLINE": "1", "COLUMNS": "120", "TERM": "dumb", "MPLBACKEND": "Agg"}
    os.environ.pop("DENTASAM_TRACEBACK", None)
    warnings.simplefilter("ignore")
    import cv2
    import torch

    import dentasam

    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    for module in pkgutil.walk_packages(dentasam.__path__, "dentasam."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            importlib.import_module(module.name)
    for other in OTHERS:
        importlib.import_module(other)
    from .examples import models

    models.bundled_model()
    models.small_segmenter()
    # A collection in a case would copy all pages of what is loaded here.
    gc.collect()
    gc.freeze()
    assert threading.active_count() == 1, "a process with several threads must not be forked"
