"""Adults as most panoramics show them: 28 to 32 permanent teeth, some lost."""

import numpy as np

from dentasam.data.phantom.anatomy import LOWER, UPPER, tooth_shape
from dentasam.data.phantom.dentition.tooth import Dentition, Tooth


def draw_dentition(rng: np.random.Generator, crowding: bool = False) -> Dentition:
    """Draw a dentition: usually 28 to 32 teeth, sometimes many missing, young or crowded."""
    smile = float(rng.normal(0.0, 0.09))
    gape = float(rng.normal(0.0, 0.008))
    size = float(rng.normal(1.0, 0.04))
    stretch = float(np.clip(rng.normal(1.0, 0.06), 0.85, 1.15))
    contact = float(rng.uniform(0.68, 0.8) if crowding else rng.normal(0.905, 0.025))
    loss = float(rng.choice([0.0, 0.03, 0.12, 0.35], p=[0.45, 0.3, 0.17, 0.08]))
    young = rng.random() < 0.08
    teeth: list[Tooth] = []
    gaps: list[Tooth] = []
    for quadrant in "1234":
        upper = quadrant in "12"
        side = -1.0 if quadrant in "14" else 1.0
        table = UPPER if upper else LOWER
        edge = 0.0
        for position in range(1, 9):
            mean_width, mean_length, mean_tilt, mean_y = table[position - 1]
            width = 1.03 * mean_width * size * float(np.clip(rng.normal(1, 0.05), 0.85, 1.18))
            length = 0.98 * mean_length * size * stretch * float(np.clip(rng.normal(1, 0.06), 0.78, 1.25))
            tilt = mean_tilt + rng.normal(0, 10 if position == 8 else 7 if crowding else 3.5)
            x = edge + width * contact / 2
            edge += width * contact
            y = mean_y + smile * (x**2 - 0.08) + rng.normal(0, 0.012 if crowding else 0.006)
            y += (-gape if upper else gape) - (0.006 if upper else -0.004)
            germ, growth = False, 1.0
            if position == 8:
                x -= 0.022
                fate = rng.random()
                if fate < 0.3 and not upper:
                    tilt += rng.uniform(15, 60)
                    y += rng.uniform(0.0, 0.05)
                    x += 0.012
                elif fate < 0.3:
                    tilt += rng.uniform(-45, 20)
                    y -= rng.uniform(0.0, 0.09)
                if young or rng.random() < 0.2:
                    germ, growth = True, float(rng.uniform(0.05, 0.6))
                    y += -0.06 if upper else 0.03
            elif young and position in (3, 4, 5, 7) and rng.random() < 0.6:
                germ, growth = True, float(rng.uniform(0.3, 0.9))
                y += (-1 if upper else 1) * rng.uniform(0.0, 0.09)
                tilt += rng.normal(0, 10)
            shape = tooth_shape(rng, position, upper, growth)
            tooth = Tooth(
                f"{quadrant}{position}",
                side * x,
                float(y),
                float(np.deg2rad(tilt)),
                width,
                length,
                shape,
                germ,
            )
            likely = 0.3 if position == 8 else loss * (2.0 if position in (4, 5, 6, 7) else 0.6)
            (gaps if rng.random() < likely else teeth).append(tooth)
    if not teeth:
        teeth.append(gaps.pop())
    return Dentition(teeth, gaps, smile, gape)
