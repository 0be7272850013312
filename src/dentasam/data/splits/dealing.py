"""Dealing groups of images out to parts, so that each part holds its share of the images and of every tag.

Iterative stratification after Sechidis, Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data"
(ECML PKDD 2011): the rarest tag is dealt out first, each image to the part that still lacks most of it. Here a group
of images is dealt as a whole, and of the groups with the rarest tag the largest first, so that small ones even out
what large ones left. With groups of one image the sizes of the parts are exact.
"""

import heapq
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

# Images without a tag are dealt out by this one, so that they too are spread evenly.
UNTAGGED = ""


def deal(groups: Sequence[Sequence[Collection[str]]], shares: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """The part (N,) of each group.

    groups: the tags of each image of each group; at least as many groups as parts. shares: of the images that each
    part should have; they add up to 1. Every part gets a group. A part exceeds its share, rounded to whole images, by
    less than the largest group.
    """
    tags = [Counter(tag for image in group for tag in (set(image) or {UNTAGGED})) for group in groups]
    sizes = [len(group) for group in groups]
    left = Counter[str]()
    for counted in tags:
        left.update(counted)
    lacking = {tag: count * shares for tag, count in left.items()}
    room = _sizes(sum(sizes), shares)
    with_tag: dict[str, list[int]] = {tag: [] for tag in left}
    # A stable sort: groups of the same size stay in the drawn order.
    for group in sorted(draw.permutation(len(groups)).tolist(), key=lambda group: -sizes[group]):
        for tag in tags[group]:
            with_tag[tag].append(group)

    part = np.full(len(groups), -1)
    empty, waiting = set(range(len(shares))), len(groups)
    # Tags by the images left with them, the fewest first. An entry of an older count is passed over.
    rarest = [(count, tag) for tag, count in left.items()]
    heapq.heapify(rarest)
    while rarest:
        count, dealt = heapq.heappop(rarest)
        if count != left[dealt]:
            continue
        for group in with_tag[dealt]:
            if part[group] >= 0:
                continue
            allowed = sorted(empty) if waiting <= len(empty) else range(len(shares))
            fitting = [p for p in allowed if room[p] >= sizes[group]]
            if fitting:
                ties = draw.permutation(fitting)
                chosen = int(max(ties, key=lambda p: (lacking[dealt][p], room[p])))
            else:
                chosen = max(allowed, key=lambda p: int(room[p]))
            part[group] = chosen
            room[chosen] -= sizes[group]
            empty.discard(chosen)
            waiting -= 1
            for tag, held in tags[group].items():
                lacking[tag][chosen] -= held
                left[tag] -= held
                if left[tag] and tag != dealt:
                    heapq.heappush(rarest, (left[tag], tag))
    return part


def _sizes(images: int, shares: np.ndarray) -> np.ndarray:
    """Whole sizes of the parts, at least 1 each, that add up to `images`: largest remainders first."""
    exact = shares * images
    sizes = np.maximum(np.floor(exact + 1e-9), 1).astype(int)
    while sizes.sum() < images:
        sizes[np.argmax(exact - sizes)] += 1
    while sizes.sum() > images:
        sizes[np.argmax(np.where(sizes > 1, sizes - exact, -np.inf))] -= 1
    return sizes
