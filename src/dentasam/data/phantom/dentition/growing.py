"""The dentition of a child at an age: deciduous teeth, germs of the permanent ones, and what has erupted.

Each permanent tooth has four ages: its crown begins, its crown is complete, it erupts, and three years later its
roots are complete. Until it erupts it lies at its depth beyond the deciduous root, which it resorbs in the last three
years.
"""

from collections.abc import Iterator

import numpy as np

from dentasam.data.phantom import anatomy
from dentasam.data.phantom.anatomy import tooth_shape
from dentasam.data.phantom.dentition import deciduous
from dentasam.data.phantom.dentition.deciduous import cut_off, deciduous_shape
from dentasam.data.phantom.dentition.tooth import Dentition, Tooth

# Years at which a permanent tooth's crown begins, is complete and erupts, and its germ's depth in panoramic heights;
# by position 1..8. Ages after the charts of AlQahtani et al. (2010), rounded.
UPPER: tuple[tuple[float, float, float, float], ...] = (
    (0.3, 4.5, 7.3, 0.110),
    (0.9, 5.0, 8.3, 0.120),
    (0.5, 6.5, 11.4, 0.185),
    (1.7, 6.0, 10.4, 0.105),
    (2.3, 6.5, 11.2, 0.110),
    (0.0, 3.0, 6.2, 0.085),
    (2.8, 7.3, 12.3, 0.095),
    (8.3, 13.0, 19.0, 0.110),
)
LOWER: tuple[tuple[float, float, float, float], ...] = (
    (0.3, 4.0, 6.3, 0.100),
    (0.4, 4.5, 7.3, 0.105),
    (0.5, 6.0, 10.0, 0.150),
    (1.8, 6.0, 10.5, 0.108),
    (2.4, 6.6, 11.3, 0.112),
    (0.0, 3.0, 6.0, 0.070),
    (2.8, 7.3, 11.9, 0.060),
    (8.6, 13.2, 19.0, 0.050),
)
_RESORPTION_YEARS, _ROOT_YEARS, _ERUPTION_YEARS = 3.0, 3.0, 2.0


def draw_growing(rng: np.random.Generator, age: float) -> Dentition:
    """Draw the dentition of a child of `age` years, 3 to 13."""
    smile = float(rng.normal(0.0, 0.07))
    gape = float(rng.normal(0.004, 0.008))
    size = float(rng.normal(1.0, 0.04))
    contact = float(rng.normal(0.93, 0.03))
    lost = float(rng.choice([0.0, 0.06, 0.2], p=[0.6, 0.28, 0.12]))  # deciduous teeth that caries took
    absent = {p for p in (2, 5) if rng.random() < 0.04}  # successors that never form
    teeth: list[Tooth] = []
    gaps: list[Tooth] = []
    for quadrant in range(1, 5):
        stages = _stages(rng, quadrant in (1, 2), age, absent)
        for tooth, there in _quadrant(rng, quadrant, age, stages, size, contact, lost):
            (teeth if there else gaps).append(tooth)
    for tooth in teeth + gaps:
        tooth.y += smile * (tooth.x**2 - 0.08) + (-gape if tooth.upper else gape)
    return Dentition(teeth, gaps, smile, gape, implants=[], youth=float(np.clip((13 - age) / 6, 0, 1)))


def _stages(
    rng: np.random.Generator, upper: bool, age: float, absent: set[int]
) -> dict[int, tuple[float, float, float, float]]:
    """Of each permanent tooth that has begun: the shares of its crown, its roots and its way out, and its depth."""
    stages = {}
    for position, (begins, crowned, erupts, depth) in enumerate(UPPER if upper else LOWER, start=1):
        own = age + rng.normal(0, 0.35)
        crown = (own - begins) / (crowned - begins)
        if crown < 0.15 or (position in absent and rng.random() < 0.7):
            continue
        roots = (own - crowned) / (erupts + _ROOT_YEARS - crowned)
        way = float(np.clip((own - erupts) / _ERUPTION_YEARS + 1, 0, 1))
        deep = depth * float(np.clip(rng.normal(1, 0.1), 0.8, 1.25))
        shares = np.clip([crown, roots], 0, 1)
        stages[position] = (float(shares[0]), float(shares[1]), way * way * (3 - 2 * way), deep)
    return stages


def _quadrant(
    rng: np.random.Generator,
    quadrant: int,
    age: float,
    stages: dict[int, tuple[float, float, float, float]],
    size: float,
    contact: float,
    lost: float,
) -> Iterator[tuple[Tooth, bool]]:
    """The teeth of one quadrant from the midline outward, each with whether it is there or a gap."""
    upper = quadrant in (1, 2)
    side = -1.0 if quadrant in (1, 4) else 1.0
    edge = 0.0
    for position in range(1, 9):
        mean_width, mean_length, tilt, level = (anatomy.UPPER if upper else anatomy.LOWER)[position - 1]
        if position == 8:
            level = (anatomy.UPPER if upper else anatomy.LOWER)[6][3] - (0.02 if upper else 0.01)
        stage = stages.get(position)
        slot = 0.0
        if position <= 5:
            erupts = (UPPER if upper else LOWER)[position - 1][2]
            milk = _deciduous(rng, quadrant + 4, position, size, age - erupts, stage is None)
            slot = milk.width
            standing = stage is None or (stage[2] < 0.72 and age < erupts - rng.normal(0.5, 0.3))
            milk.x, milk.y = side * (edge + slot * contact / 2), level + rng.normal(0, 0.005)
            if standing:
                there = rng.random() >= lost * (1.6 if position >= 4 else 0.5)
                yield milk, there or stage is None
        if stage is None:
            edge += slot * contact
            continue
        crown, roots, way, depth = stage
        width = mean_width * size * float(np.clip(rng.normal(1, 0.05), 0.85, 1.18))
        length = 0.98 * mean_length * size * float(np.clip(rng.normal(1, 0.05), 0.8, 1.2))
        shape = tooth_shape(rng, position, upper, float(np.clip(roots, 0.03, 1)))
        if crown < 1:
            shape = cut_off(rng, shape, shape.neck * (0.25 + 0.75 * crown))
        erupted = way > 0.72
        slot = max(slot, width) if position > 5 or erupted else slot
        x = edge + slot * contact / 2
        lean = tilt + rng.normal(0, 4)
        if not erupted:
            x += _shift(rng, position) * (1 - way)
            lean += _lean(rng, position, upper) * (1 - way)
        down = -1.0 if upper else 1.0
        y = level + down * depth * (1 - way) + rng.normal(0, 0.006)
        tooth = Tooth(f"{quadrant}{position}", side * x, float(y), float(np.deg2rad(lean)), width, length, shape)
        tooth.germ = not erupted
        yield tooth, True
        edge += slot * contact


def _deciduous(
    rng: np.random.Generator, quadrant: int, position: int, size: float, years_after: float, kept: bool
) -> Tooth:
    """A deciduous tooth that its successor follows at -`years_after`; `kept`: no successor resorbs it."""
    upper = quadrant in (5, 6)
    width, length = (deciduous.UPPER if upper else deciduous.LOWER)[position - 1]
    width *= size * float(np.clip(rng.normal(1, 0.05), 0.85, 1.18))
    length *= size * float(np.clip(rng.normal(1, 0.06), 0.8, 1.2))
    begun = (years_after + _RESORPTION_YEARS + rng.normal(0.3, 0.3)) / _RESORPTION_YEARS
    resorbed = float(np.clip(rng.uniform(0, 0.3) if kept else begun, 0, 0.92))
    shape = deciduous_shape(rng, position, upper, resorbed)
    tilt = float(np.deg2rad(rng.normal(0 if upper else 3, 3)))
    return Tooth(f"{quadrant}{position}", 0.0, 0.0, tilt, width, length, shape)


def retained(rng: np.random.Generator, number: str, size: float) -> Tooth:
    """A deciduous tooth that an adult kept, by its own FDI number; its place is for the caller to set."""
    return _deciduous(rng, int(number[0]), int(number[1]), size, 0.0, kept=True)


def _shift(rng: np.random.Generator, position: int) -> float:
    """How far distal of its slot a germ lies: wide crowns of incisors overlap, the canine stands out."""
    mean = {1: 0.004, 2: 0.01, 3: 0.016, 4: 0.004, 5: 0.004, 6: 0.012, 7: 0.012, 8: 0.02}[position]
    return mean + float(np.clip(rng.normal(0, 0.005), -0.009, 0.009))


def _lean(rng: np.random.Generator, position: int, upper: bool) -> float:
    """Degrees by which a germ's apex leans distal: upper molars face back, lower ones forward."""
    if position >= 6:
        return float(rng.normal(-14, 8) if upper else rng.normal(12, 8))
    return float(rng.normal(10 if position == 3 else 0, 7))
