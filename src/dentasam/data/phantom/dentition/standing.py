"""From what the places of a permanent dentition hold to teeth that stand in their jaws."""

from dataclasses import dataclass

import numpy as np

from dentasam.data.phantom.anatomy import LOWER, UPPER, tooth_shape
from dentasam.data.phantom.dentition.deciduous import without_crown
from dentasam.data.phantom.dentition.growing import retained
from dentasam.data.phantom.dentition.missing import Holding, Places
from dentasam.data.phantom.dentition.tooth import Dentition, Tooth


@dataclass(frozen=True)
class Order:
    """How regularly teeth stand: `contact` is the share of a crown's width that it takes along the arch.

    spacing: mean gap between neighbours, in panoramic heights. diastema: half of the one between the central
    incisors. turned: chance that a tooth is turned about its axis. unrest: degrees by which tilts vary. ruined:
    chance that caries has taken a tooth's crown.
    """

    contact: float
    spacing: float = 0.0
    diastema: float = 0.0
    turned: float = 0.0
    unrest: float = 3.5
    ruined: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator, irregular: bool) -> "Order":
        if not irregular:
            return cls(float(rng.normal(0.905, 0.025)))
        kind = rng.choice(["crowded", "spaced", "turned"], p=[0.4, 0.3, 0.3])
        turned = float(rng.uniform(0.05, 0.35)) if kind != "spaced" or rng.random() < 0.4 else 0.0
        diastema = float(rng.uniform(0.004, 0.022)) if rng.random() < 0.35 else 0.0
        if kind == "crowded":
            return cls(float(rng.uniform(0.7, 0.82)), 0.0, 0.0, turned, 7.0)
        if kind == "spaced":
            return cls(float(rng.uniform(0.93, 1.0)), float(rng.uniform(0.004, 0.02)), diastema, turned, 4.5)
        return cls(float(rng.normal(0.9, 0.03)), 0.0, diastema, max(turned, 0.15), 5.0)


def stand(rng: np.random.Generator, places: Places, order: Order, bridges: list[list[str]]) -> Dentition:
    """Place every tooth, gap, implant and pontic along the arches."""
    smile, gape = float(rng.normal(0.0, 0.09)), float(rng.normal(0.0, 0.008))
    size = float(rng.normal(1.0, 0.04))
    stretch = float(np.clip(rng.normal(1.0, 0.06), 0.85, 1.15))
    teeth: list[Tooth] = []
    gaps: list[Tooth] = []
    crowns: dict[str, Tooth] = {}
    implants: list[Tooth] = []
    spanned = {number for bridge in bridges for number in bridge}
    for quadrant in "1234":
        for tooth, holding in _quadrant(rng, quadrant, places, order, size, stretch, spanned):
            tooth.y += smile * (tooth.x**2 - 0.08) + (-gape if tooth.upper else gape)
            tooth.y += -0.006 if tooth.upper else 0.004
            (teeth if holding in ("tooth", "retained", "impacted") else gaps).append(tooth)
            if holding != "impacted":
                crowns[tooth.number] = tooth
            if holding == "implant":
                implants.append(tooth)
    spans = [[crowns[number] for number in bridge] for bridge in bridges]
    return Dentition(teeth, gaps, smile, gape, implants, spans)


def _quadrant(
    rng: np.random.Generator,
    quadrant: str,
    places: Places,
    order: Order,
    size: float,
    stretch: float,
    spanned: set[str],
) -> list[tuple[Tooth, Holding]]:
    """Everything of one quadrant, from the midline outward."""
    upper, side = quadrant in "12", -1.0 if quadrant in "14" else 1.0
    table = UPPER if upper else LOWER
    usual = np.cumsum([0.0] + [row[0] * 0.93 for row in table])
    centres, heights = (usual[:-1] + usual[1:]) / 2, [row[3] for row in table]
    found: list[tuple[Tooth, Holding]] = []
    edge, tipped, drift = order.diastema, 0.0, 0.0
    for position in range(1, 9):
        number = f"{quadrant}{position}"
        holding: Holding = places[number]
        mean_width, mean_length, mean_tilt, _ = table[position - 1]
        width = 1.03 * mean_width * size * float(np.clip(rng.normal(1, 0.05), 0.85, 1.18))
        length = 0.98 * mean_length * size * stretch * float(np.clip(rng.normal(1, 0.06), 0.78, 1.25))
        tilt = mean_tilt + rng.normal(0, 10 if position == 8 else order.unrest)
        if holding == "closed":
            edge += float(rng.choice([0.0, rng.uniform(0, 0.012)]))
            tipped = float(rng.normal(3, 4))
            continue
        behind: Holding = "tooth"
        if holding == "impacted":
            behind = rng.choice(["retained", "open", "closed"], p=[0.5, 0.2, 0.3])
        taken, tooth = width * order.contact, None
        if holding == "retained" or behind == "retained":
            tooth = retained(rng, f"{int(quadrant) + 4}{position}", size)
            taken = tooth.width * order.contact
        elif holding == "open":
            drift = float(rng.uniform(0.55, 1.05)) if position > 3 else float(rng.uniform(0.75, 1.05))
            taken *= drift
        elif behind == "closed":
            taken *= 0.25
        x = edge + taken / 2
        y = float(np.interp(x, centres, heights)) + rng.normal(0, 0.007 if order.contact > 0.85 else 0.012)
        if position == 8 and holding == "tooth":
            x -= 0.022
            y += -0.03 if upper else 0.0
        edge += taken + abs(rng.normal(order.spacing, 0.5 * order.spacing))
        if tooth is not None:
            tooth.x, tooth.y = side * x, y + (0.012 if not upper else -0.012)  # it lags behind its neighbours
            found.append((tooth, "retained"))
            if holding == "retained":
                continue
        if holding == "tooth":
            tilt += tipped
            tipped = 0.0
        elif holding == "open":
            tipped = float(rng.uniform(0, 16)) * (position >= 4)
        elif holding == "implant":
            tilt *= 0.4
        germ, growth = False, 1.0
        if holding == "tooth" and position == 8:
            x, y, tilt, germ, growth = _third_molar(rng, upper, x, y, tilt)
        elif holding == "impacted":
            x, y, tilt = _impacted(rng, upper, position, x, y)
            germ = True
        elif holding == "tooth" and rng.random() < order.turned:
            width *= float(rng.uniform(0.68, 0.92) if position != 3 else rng.uniform(0.85, 1.1))
            tilt += rng.normal(0, 8)
        shape = tooth_shape(rng, position, upper, growth)
        if holding == "tooth" and not germ and number not in spanned and rng.random() < order.ruined:
            shape = without_crown(rng, shape, shape.neck * float(rng.uniform(0.75, 1.1)))
        found.append(
            (Tooth(number, side * x, float(y), float(np.deg2rad(tilt)), width, length, shape, germ), holding)
        )
    return found


def _third_molar(
    rng: np.random.Generator, upper: bool, x: float, y: float, tilt: float
) -> tuple[float, float, float, bool, float]:
    """Erupted, impacted or growing: x, y, tilt in degrees, whether it lies in the bone, and its roots' share."""
    fate = rng.random()
    if fate < 0.35 and not upper:
        return x + 0.012, y + rng.uniform(0.0, 0.05), tilt + rng.uniform(15, 60), rng.random() < 0.5, 1.0
    if fate < 0.35:
        return x, y - rng.uniform(0.02, 0.09), tilt + rng.uniform(-45, 20), rng.random() < 0.5, 1.0
    if fate < 0.5:
        return x, y + (-0.06 if upper else 0.03), tilt, True, float(rng.uniform(0.05, 0.6))
    return x, y, tilt, False, 1.0


def _impacted(rng: np.random.Generator, upper: bool, position: int, x: float, y: float) -> tuple[float, float, float]:
    """Where the crown of an impacted tooth lies, and its tilt in degrees: canines lean over the incisors' roots."""
    down = -1.0 if upper else 1.0
    if position == 3:
        tilt = float(rng.uniform(5, 65))
        return x - 0.0011 * tilt + float(rng.normal(0, 0.01)), y + down * float(rng.uniform(0.08, 0.17)), tilt
    return x + float(rng.normal(0, 0.015)), y + down * float(rng.uniform(0.07, 0.13)), float(rng.normal(0, 25))
