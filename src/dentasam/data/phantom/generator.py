"""A seeded synthetic panoramic X-ray with the outline of every tooth."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dentasam.data.phantom.conditions import CONDITIONS, apply_metal, blur, develop, marker, streaks
from dentasam.data.phantom.dentition.kinds import DENTITIONS, DentitionKind, draw_kind
from dentasam.data.phantom.dentition.tooth import SUPERNUMERARY, Tooth
from dentasam.data.phantom.head import draw_head
from dentasam.data.phantom.layout import LAYOUTS, Layout, draw_any_layout, mask_film
from dentasam.data.phantom.parts import draw_parts
from dentasam.data.phantom.rendering import (
    BRIDGE,
    Look,
    Metal,
    draw_appliance,
    draw_bridge,
    draw_implant,
    draw_restoration,
    draw_root_filling,
    draw_tooth,
    settle,
)
from dentasam.data.phantom.scene import Geometry, Mask, Phantom, PhantomObject
from dentasam.errors import DatasetError


def generate(
    seed: int,
    width: int = 1024,
    height: int = 512,
    conditions: Sequence[str] = (),
    dentition: DentitionKind = "adult",
    layout: Layout = "usual",
) -> Phantom:
    """Draw the phantom of `seed`: the same arguments give the same bits.

    `conditions` are bad-case tags out of `CONDITIONS`; tags for what was drawn (restoration, implant, bridge,
    missing-teeth, appliance, deciduous, supernumerary) come beside them. dentition: of which kind the teeth are;
    "any" draws a kind. layout: "usual" places the jaws as one clinic does, "any" as all devices do, with patients
    placed badly too.
    Raises DatasetError for an unknown condition, dentition or layout, or a tiny image.
    """
    for what, names, known in (
        ("condition", conditions, CONDITIONS),
        ("dentition", (dentition,), DENTITIONS),
        ("layout", (layout,), LAYOUTS),
    ):
        for name in names:
            if name not in known:
                raise DatasetError(f"unknown phantom {what} {name!r}: choose from {', '.join(known)}")
    if width < 128 or height < 64:
        raise DatasetError(f"a phantom of {width}x{height} is too small: ask for 128x64 or more")
    rng = np.random.default_rng([seed, 11])
    geometry = Geometry.draw(rng, height, width)
    if layout == "any":
        geometry = draw_any_layout(np.random.default_rng([seed, 17]), geometry)
    mouth = draw_kind(rng, dentition, crowding="overlap" in conditions)
    image = draw_head(rng, geometry, mouth)
    look = Look.draw(rng)
    if "ambiguous-boundary" in conditions:
        look = replace(look, root_fade=float(rng.uniform(0.75, 0.95)), edge=0.15, lamina=1.0, ligament=2.0)
    artifact = "artifact" in conditions
    metal = Metal(np.zeros((height, width), np.float32), float(rng.uniform(225, 255)))

    objects: list[PhantomObject] = []
    extra: list[PhantomObject] = []
    tags = [c for c in CONDITIONS if c in conditions]
    filled = float(rng.choice([0.0, 0.06, 0.2, 0.5], p=[0.25, 0.35, 0.28, 0.12]))
    if artifact:
        filled = max(filled, 0.35)
    drawn: list[tuple[Tooth, Mask]] = []
    root_filled: list[tuple[Tooth, Mask]] = []
    arch = np.zeros_like(image)
    for index in rng.permutation(len(mouth.teeth)):
        tooth = mouth.teeth[index]
        mask = draw_tooth(rng, arch, tooth, geometry, look)
        if mask is None:
            continue
        drawn.append((tooth, mask))
        objects.append(PhantomObject(tooth.category, mask))
        share = filled * (0.3 if tooth.position <= 3 else 1.4)
        if not tooth.germ and rng.random() < share:
            restoration = draw_restoration(rng, metal, arch, tooth, mask, geometry)
            if restoration is not None:
                extra.append(PhantomObject("restoration", restoration))
            if rng.random() < 0.25:
                canals = draw_root_filling(rng, arch, tooth, mask, geometry)
                if canals is not None:
                    root_filled.append((tooth, canals))
    if mouth.implants is not None:
        for place in mouth.implants:
            extra.extend(draw_implant(rng, metal, place, geometry))
    elif rng.random() < 0.35:
        for place in mouth.gaps:
            if place.position <= 7 and rng.random() < 0.4:
                extra.extend(draw_implant(rng, metal, place, geometry))
    for joined in mouth.bridges:
        extra.extend(draw_bridge(rng, metal, joined, geometry))
    parts = draw_parts(np.random.default_rng([seed, 15]), arch, metal, drawn, root_filled, geometry)
    image += settle(arch)
    if rng.random() < 0.1:
        draw_appliance(rng, metal, [tooth for tooth, _ in drawn], geometry)
        tags.append("appliance")
    apply_metal(rng, image, metal, geometry, artifact)
    if artifact:
        streaks(rng, image, geometry)
    if rng.random() < 0.3:
        marker(rng, image, geometry)
    if "blurred" in conditions:
        image = blur(rng, image, geometry)
    values = develop(rng, image, geometry, sharp="blurred" not in conditions)
    extra += parts
    found = {o.category for o in extra}
    tags += [tag for tag in ("restoration", "implant", BRIDGE) if tag in found]
    if any(tooth.deciduous for tooth, _ in drawn):
        tags.append("deciduous")
    if any(tooth.supernumerary for tooth, _ in drawn):
        tags.append(SUPERNUMERARY)
    if sum(place.position <= 7 for place in mouth.gaps) > 0:
        tags.append("missing-teeth")
    objects.sort(key=lambda o: o.category)
    objects += extra
    seen = mask_film(np.random.default_rng([seed, 18]), values) if layout == "any" else None
    if seen is not None:
        objects = [PhantomObject(o.category, o.mask & seen) for o in objects]
        objects = [o for o in objects if np.count_nonzero(o.mask) >= 12]
    return Phantom(values, objects, tuple(tags))
