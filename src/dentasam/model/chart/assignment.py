"""From the numberer's logits to one number for each object, under the rules of a dentition.

    each number once               the assignment with the largest sum of log probabilities (Hungarian method)
    in order along the arch        each arch assigned again in order (dynamic programming), unless that is much less
                                   likely: crowded and impacted teeth do stand out of order

Whatever is known already, as a number that a person gave, stays and takes its place from the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.optimize import linear_sum_assignment

from dentasam.model.chart.dentition import (
    ARCHES,
    CROWDED_SHARE,
    NOT_A_TOOTH,
    NUMBERS,
    OUTCOME_OF,
    SUPERNUMERARY_OUTCOME,
)

# Order along an arch may cost this many nats for each pair of neighbours that it puts right.
ORDER_NATS = 4.0
_ARCH_COLUMNS = tuple(np.array([OUTCOME_OF[number] for number in arch]) for arch in ARCHES)
_IMPOSSIBLE = -1e6


def assigned(log_odds: np.ndarray, boxes: np.ndarray, known: Sequence[str | None] | None = None) -> np.ndarray:
    """The outcome of each of P objects, (P,): a place in `NUMBERS`, `SUPERNUMERARY_OUTCOME` or `NOT_A_TOOTH`.

    log_odds: (P, 54) logarithms of each outcome's probability. boxes: (P, 4) x0, y0, x1, y1.
    known: the name of each object that has one. A name without a number, as of an implant, takes no number from a
    tooth.
    """
    scores = np.array(log_odds, np.float64)
    objects = len(scores)
    if not objects:
        return np.zeros(0, np.int64)
    fixed = [None if name is None else OUTCOME_OF.get(name, NOT_A_TOOTH) for name in known or [None] * objects]
    taken = {column for column in fixed if column is not None and column < len(NUMBERS)}
    for row, column in enumerate(fixed):
        if column is None:
            scores[row, sorted(taken)] = _IMPOSSIBLE
    rows = np.array([row for row in range(objects) if fixed[row] is None], np.int64)
    outcome = np.array([-1 if column is None else column for column in fixed], np.int64)
    if not len(rows):
        return outcome
    outcome[rows] = _each_once(scores[rows])
    for row, column in enumerate(fixed):
        if column is not None:
            scores[row], scores[row, column] = _IMPOSSIBLE, 0.0
    for columns in _ARCH_COLUMNS:
        outcome = _in_order(outcome, scores, boxes, columns)
    return outcome


def _each_once(scores: np.ndarray) -> np.ndarray:
    """The likeliest outcomes (P,) in which no number occurs twice; what is not a number may."""
    numbers = len(NUMBERS)
    others = scores[:, [SUPERNUMERARY_OUTCOME, NOT_A_TOOTH]]
    # A column for each number, and one for each object alone: the better of the outcomes that may repeat.
    alone = np.full((len(scores), len(scores)), _IMPOSSIBLE)
    np.fill_diagonal(alone, others.max(axis=1))
    _, columns = linear_sum_assignment(np.hstack([scores[:, :numbers], alone]), maximize=True)
    repeated = np.where(others.argmax(axis=1) == 0, SUPERNUMERARY_OUTCOME, NOT_A_TOOTH)
    return np.where(columns < numbers, columns, repeated)


def _in_order(outcome: np.ndarray, scores: np.ndarray, boxes: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The same outcomes with one arch in order from left to right, unless that is much less likely."""
    members = np.flatnonzero(np.isin(outcome, columns))
    if len(members) < 2:
        return outcome
    x = (boxes[members, 0] + boxes[members, 2]) / 2
    members = members[np.argsort(x, kind="stable")]
    place = {int(column): index for index, column in enumerate(columns)}
    wrong = _exchanged([place[int(outcome[row])] for row in members], boxes[members])
    if not wrong:
        return outcome
    ordered = columns[_increasing(scores[np.ix_(members, columns)])]
    loss = scores[members, outcome[members]].sum() - scores[members, ordered].sum()
    if loss > ORDER_NATS * wrong:
        return outcome
    changed = outcome.copy()
    changed[members] = ordered
    return changed


def _exchanged(places: list[int], boxes: np.ndarray) -> int:
    """How many neighbours, from left to right, have places in the other order although they are well apart."""
    middle, width = (boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 2] - boxes[:, 0]
    return sum(
        places[left] > places[right] and middle[right] - middle[left] > CROWDED_SHARE * min(width[left], width[right])
        for left, right in pairwise(range(len(places)))
    )


def _increasing(scores: np.ndarray) -> np.ndarray:
    """Strictly increasing columns (P,) with the largest sum of scores (P, C), P at most C."""
    objects, columns = scores.shape
    # best[j]: of the objects so far, when the last of them has a column before j.
    best = np.zeros(columns + 1)
    chosen = np.zeros((objects, columns + 1), np.int64)
    for row in range(objects):
        following = np.full(columns + 1, -np.inf)
        for column in range(row, columns):
            here = best[column] + scores[row, column]
            if here > following[column]:
                following[column + 1], chosen[row, column + 1] = here, column
            else:
                following[column + 1], chosen[row, column + 1] = following[column], chosen[row, column]
        best = following
    picked = np.zeros(objects, np.int64)
    limit = columns
    for row in range(objects - 1, -1, -1):
        picked[row] = chosen[row, limit]
        limit = picked[row]
    return picked
