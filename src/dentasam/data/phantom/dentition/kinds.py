"""The kinds of dentition that a phantom can have, by name."""

from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from dentasam.data.phantom.dentition import missing
from dentasam.data.phantom.dentition.adult import draw_dentition
from dentasam.data.phantom.dentition.growing import draw_growing
from dentasam.data.phantom.dentition.standing import Order, stand
from dentasam.data.phantom.dentition.supernumerary import add_supernumerary
from dentasam.data.phantom.dentition.tooth import Dentition

DentitionKind = Literal[
    "adult",  # 28 to 32 permanent teeth, some lost
    "gaps",  # 1 to 31 teeth lost: single ones, stretches, free ends, a whole jaw
    "closed",  # teeth lost whose gaps have closed
    "hypodontia",  # teeth that never formed, deciduous ones that stayed
    "irregular",  # turned, crowded, spaced and impacted teeth
    "implants",
    "bridges",
    "supernumerary",
    "mixed",  # ages 6 to 12
    "deciduous",  # ages 3 to 6
    "any",  # one of these, and of those of adults several at once
]
DENTITIONS: tuple[str, ...] = get_args(DentitionKind)
_SHARES: dict[DentitionKind, float] = {
    "adult": 0.2,
    "gaps": 0.18,
    "closed": 0.08,
    "hypodontia": 0.06,
    "irregular": 0.1,
    "implants": 0.08,
    "bridges": 0.08,
    "supernumerary": 0.06,
    "mixed": 0.11,
    "deciduous": 0.05,
}


def draw_kind(rng: np.random.Generator, kind: DentitionKind, crowding: bool = False) -> Dentition:
    """Draw a dentition of a kind; `crowding` makes the teeth overlap more."""
    mixing = kind == "any"
    if kind == "any":
        kind = list(_SHARES)[int(rng.choice(len(_SHARES), p=list(_SHARES.values())))]
    if kind == "adult":
        return draw_dentition(rng, crowding)
    if kind in ("mixed", "deciduous"):
        child = draw_growing(rng, float(rng.uniform(5.8, 12.6) if kind == "mixed" else rng.uniform(3.0, 5.8)))
        return add_supernumerary(rng, child) if mixing and rng.random() < 0.06 else child
    return _permanent(rng, kind, mixing, crowding)


def _permanent(rng: np.random.Generator, kind: DentitionKind, mixing: bool, crowding: bool) -> Dentition:
    def has(what: DentitionKind, otherwise: float) -> bool:
        """Whether the dentition has a trait: its own, or where kinds mix another one by a chance."""
        return kind == what or (mixing and rng.random() < otherwise)

    places = missing.all_there(rng)
    if has("hypodontia", 0.03):
        missing.never_form(rng, places)
    if has("closed", 0.1):
        missing.close(rng, places)
    irregular = has("irregular", 0.25)
    if irregular and rng.random() < 0.5:
        missing.impact(rng, places)
    lossy = has("gaps", 0.15)
    if lossy or (kind in ("implants", "bridges") and rng.random() < 0.7):
        missing.lose(rng, places)
    if has("implants", 0.15):
        missing.implant(rng, places)
    bridges = missing.span(rng, places) if has("bridges", 0.12) else []
    order = Order.draw(rng, irregular)
    if lossy and rng.random() < 0.3:
        order = replace(order, ruined=float(rng.uniform(0.03, 0.15)))
    if crowding:
        order = Order(float(rng.uniform(0.68, 0.8)), turned=order.turned, unrest=7.0)
    dentition = stand(rng, places, order, bridges)
    return add_supernumerary(rng, dentition) if has("supernumerary", 0.03) else dentition
