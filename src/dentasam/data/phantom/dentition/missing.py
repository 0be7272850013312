"""What each of the 32 places of a permanent dentition holds: a tooth, an open or closed gap, an implant and so on."""

from typing import Literal

import numpy as np

# A closed place is gone: the teeth distal of it stand further mesial. A retained one holds the deciduous predecessor
# of a tooth that never formed; behind an impacted tooth, which lies in the bone, a gap is open, closed or retained.
Holding = Literal["tooth", "open", "closed", "implant", "pontic", "retained", "impacted"]
Places = dict[str, Holding]

PLACES = tuple(f"{quadrant}{position}" for quadrant in "1234" for position in range(1, 9))
JAWS = (PLACES[7::-1] + PLACES[8:16], PLACES[:23:-1] + PLACES[16:24])  # from the image's left to its right


def all_there(rng: np.random.Generator, thirds: float = 0.7) -> Places:
    """Every place holds its tooth, third molars by the chance `thirds`."""
    places: Places = dict.fromkeys(PLACES, "tooth")
    for quadrant in "1234":
        if rng.random() > thirds:
            places[f"{quadrant}8"] = "open"
    return places


def lose(rng: np.random.Generator, places: Places) -> None:
    """Teeth that were lost, 1 to all but one: single ones, stretches, free ends or a whole jaw; some gaps closed."""
    pattern = rng.choice(["single", "stretches", "free ends", "jaw", "many"], p=[0.34, 0.26, 0.16, 0.1, 0.14])
    if pattern == "single":
        chance = np.array([0.4, 0.5, 0.4, 1.2, 1.4, 2.2, 1.3, 1.0])
        count = int(rng.integers(1, 9))
        at = rng.choice(32, count, replace=False, p=np.tile(chance / chance.sum() / 4, 4))
        gone = [PLACES[i] for i in at]
    elif pattern == "stretches":
        gone = []
        for _ in range(int(rng.integers(1, 4))):
            jaw = JAWS[int(rng.integers(2))]
            start = int(rng.integers(0, 15))
            gone += jaw[start : start + int(rng.integers(2, 9))]
    elif pattern == "free ends":
        gone = [f"{q}{p}" for q in "1234" if rng.random() < 0.6 for p in range(int(rng.integers(2, 8)), 9)]
    elif pattern == "jaw":
        jaw = JAWS[0] if rng.random() < 0.7 else JAWS[1]
        left = rng.choice(16, int(rng.choice([0, 0, 2, 4])), replace=False)
        gone = [number for i, number in enumerate(jaw) if i not in left]
    else:
        keep = rng.choice(32, int(rng.integers(4, 18)), replace=False)
        gone = [number for i, number in enumerate(PLACES) if i not in keep]
    closing = float(rng.choice([0.0, 0.15, 0.5], p=[0.5, 0.3, 0.2])) if pattern == "single" else 0.0
    for number in gone:
        places[number] = "closed" if rng.random() < closing else "open"
    keep_one(rng, places)


def keep_one(rng: np.random.Generator, places: Places) -> None:
    """At least one tooth stays in the mouth."""
    if "tooth" not in places.values():
        places[f"{rng.integers(3, 5)}3"] = "tooth"


def close(rng: np.random.Generator, places: Places) -> None:
    """Teeth extracted for orthodontic treatment or lost early: the gaps have closed."""
    pattern = rng.choice(["first premolars", "second premolars", "upper", "first molars", "incisor", "single"])
    premolar = 5 if pattern == "second premolars" or rng.random() < 0.2 else 4
    if pattern in ("first premolars", "second premolars"):
        gone = [f"{q}{premolar if rng.random() < 0.85 else 9 - premolar}" for q in "1234"]
    elif pattern == "upper":
        gone = [f"{q}{premolar}" for q in ("12" if rng.random() < 0.7 else "34")]
    elif pattern == "first molars":
        gone = [f"{q}6" for q in "1234" if rng.random() < 0.6]
    elif pattern == "incisor":
        gone = [f"{rng.integers(3, 5)}{rng.integers(1, 3)}"] if rng.random() < 0.5 else ["12", "22"]
    else:
        gone = [f"{rng.integers(1, 5)}{rng.integers(1, 8)}" for _ in range(int(rng.integers(1, 4)))]
    if not gone:
        gone = [f"{rng.integers(1, 5)}4"]
    places.update(dict.fromkeys(gone, "closed"))


def never_form(rng: np.random.Generator, places: Places) -> None:
    """Hypodontia: second premolars, lateral incisors and others never formed; deciduous teeth stay, or gaps."""
    chance = {1: 0.03, 2: 0.3, 3: 0.05, 4: 0.1, 5: 0.4, 6: 0.02, 7: 0.06, 8: 0.8}
    severe = float(rng.choice([1.0, 2.2], p=[0.75, 0.25]))
    lower = {2: 0.5, 1: 4.0}  # lower central incisors lack more often than lateral ones
    sides = {p: [rng.random() < c * severe * w for w in (1.0, lower.get(p, 1.0))] for p, c in chance.items()}
    if not any(any(sides[p]) for p in range(1, 8)):
        sides[5 if rng.random() < 0.5 else 2][int(rng.integers(2))] = True
    for position, jaws in sides.items():
        for quadrant, lacks in zip("1234", (jaws[0], jaws[0], jaws[1], jaws[1]), strict=True):
            if not lacks or rng.random() < 0.15:
                continue
            kept = position <= 5 and rng.random() < (0.7 if position == 5 else 0.35)
            closed = position <= 5 and not kept and rng.random() < 0.45
            places[f"{quadrant}{position}"] = "retained" if kept else "closed" if closed else "open"
    keep_one(rng, places)


def impact(rng: np.random.Generator, places: Places) -> None:
    """Canines, and sometimes premolars, that stayed in the bone."""
    count = int(rng.choice([1, 2], p=[0.65, 0.35]))
    likely = np.array([0.36, 0.36, 0.07, 0.07, 0.035, 0.035, 0.035, 0.035])
    for number in rng.choice(["13", "23", "33", "43", "15", "25", "35", "45"], count, replace=False, p=likely):
        places[str(number)] = "impacted"


def implant(rng: np.random.Generator, places: Places) -> None:
    """Implants in open gaps; where there is none, in the places of teeth that are taken for it."""
    chance = float(rng.uniform(0.3, 1.0))
    gaps = [number for number in PLACES if places[number] == "open" and number[1] in "1234567"]
    if not gaps:
        gaps = [f"{rng.integers(1, 5)}{rng.choice([1, 2, 4, 5, 6, 6, 7])}" for _ in range(int(rng.integers(1, 5)))]
    for number in gaps:
        if rng.random() < chance:
            places[number] = "implant"
    if "implant" not in places.values():
        places[gaps[0]] = "implant"
    keep_one(rng, places)


def span(rng: np.random.Generator, places: Places) -> list[list[str]]:
    """Bridges over 1 to 3 places between two that hold a tooth or an implant: their numbers, from left to right."""
    bridges: list[list[str]] = []
    taken: set[str] = set()
    for jaw in JAWS:
        for start in rng.permutation(13):
            held = jaw[start : start + int(rng.integers(3, 6))]
            ends = (held[0], held[-1])
            if taken & set(held) or len(held) < 3 or any(n[1] == "8" for n in held) or rng.random() < 0.55:
                continue
            if any(places[end] not in ("tooth", "implant") for end in ends):
                continue
            between = [n for n in held[1:-1] if places[n] != "closed"]
            if not between or any(places[n] in ("impacted", "retained") for n in between):
                continue
            for number in between:  # now and then a pier in the middle
                if places[number] == "open" or len(between) < 3 or rng.random() < 0.7:
                    places[number] = "pontic"
            taken |= set(held)
            bridges.append([n for n in held if places[n] != "closed"])
            if len(bridges) >= 3:
                return bridges
    return bridges
