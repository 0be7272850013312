"""Adapt SAM-HQ to dental panoramic X-rays, and measure what the adaptation is worth click by click.

import dentasam
segmenter = dentasam.load("dentasam-tiny", adapter="panoramic-teeth")
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dentasam.model.segmenter import load as load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    # PEP 562: `import dentasam` stays free of torch, so that the command's help answers at once.
    if name == "load":
        from dentasam.model.segmenter import load

        return load
    raise AttributeError(f"module 'dentasam' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), "load"])
