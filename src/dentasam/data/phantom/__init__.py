"""Synthetic panoramic X-rays, seeded: for the bundled model, the tests and the demo."""

from dentasam.data.phantom.conditions import CONDITIONS
from dentasam.data.phantom.dentition.kinds import DENTITIONS, DentitionKind
from dentasam.data.phantom.generator import generate
from dentasam.data.phantom.layout import LAYOUTS, Layout
from dentasam.data.phantom.parts import PART_CATEGORIES
from dentasam.data.phantom.scene import Phantom, PhantomObject
from dentasam.data.phantom.shapes import generate_shapes
from dentasam.data.phantom.writer import write_phantoms

__all__ = [
    "CONDITIONS",
    "DENTITIONS",
    "LAYOUTS",
    "PART_CATEGORIES",
    "DentitionKind",
    "Layout",
    "Phantom",
    "PhantomObject",
    "generate",
    "generate_shapes",
    "write_phantoms",
]
