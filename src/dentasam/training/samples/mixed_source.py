"""Images of a dataset, with phantoms in the place of some: parts and full-size images that the dataset may lack."""

from __future__ import annotations

import numpy as np

from dentasam.training.samples.sources import Case, PhantomSource, Source

# A stream of random numbers of its own, see the samplers.
_MIXING_STREAM = 21


class MixedSource:
    """As many images as `source` has; in each epoch another `share` of them is replaced by new phantoms."""

    def __init__(self, source: Source, phantoms: PhantomSource, share: float, seed: int) -> None:
        self.source, self.phantoms, self.share, self.seed = source, phantoms, share, seed

    def __len__(self) -> int:
        return len(self.source)

    def case(self, index: int, epoch: int) -> Case:
        """The image at an index in an epoch."""
        rng = np.random.default_rng([_MIXING_STREAM, self.seed, epoch, index])
        return (self.phantoms if rng.random() < self.share else self.source).case(index, epoch)
