"""Charts the cases after they are encoded, and hands the charts on to whoever makes proposals of them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Protocol

from dentasam.labelling.inference.encoding.chart_store import ChartStore
from dentasam.labelling.inference.encoding.charted_image import ChartedImage
from dentasam.labelling.inference.served_model import ServedModel
from dentasam.labelling.workspace.workspace import CaseImage
from dentasam.model.windows.windowed_image import WindowedImage

log = logging.getLogger(__name__)


class ChartReader(Protocol):
    """What is done with charts. Called by the threads of the encode queue."""

    @property
    def on(self) -> bool:
        """Whether charts are wanted."""
        ...

    def waits(self, case_id: int) -> bool:
        """Whether the reader needs a case's chart now, be it the same as before."""
        ...

    def take(self, case_id: int, picture: str, served: ServedModel, chart: ChartedImage) -> None:
        """A case's chart: of this picture (hash of an image file), by this model."""
        ...

    def fail(self, case_id: int, picture: str, served: ServedModel) -> None:
        """There will be no chart of this picture."""
        ...


class Charter:
    """Threads may share it."""

    def __init__(self, store: ChartStore, reader: ChartReader) -> None:
        self._store = store
        self.reader = reader

    def waits(self, served: ServedModel | None, case_id: int) -> bool:
        """Whether a case is to be taken up again for its chart."""
        return served is not None and served.chart_key is not None and self.reader.waits(case_id)

    def uncertainty(
        self,
        served: ServedModel,
        case_id: int,
        image: CaseImage,
        picture: str,
        windowed: Callable[[], WindowedImage | None],
    ) -> float | None:
        """How unsure the model is of a case by its chart, which the reader gets; None where there is no chart.

        windowed: the picture for decoding, asked for only where there is no chart on the disk; None where the case's
        file holds another one by now. A chart that cannot be made leaves the case without one, with a line in the
        log.
        """
        if served.chart_key is None:
            return None
        chart = self._store.get(picture, served)
        if not self.reader.on:
            return None if chart is None else chart.uncertainty
        try:
            if chart is None:
                shown = windowed()
                if shown is None:
                    return None
                chart = ChartedImage.of(served.chart(shown))
                with contextlib.suppress(OSError):
                    # Where the disk is full, the next start makes it again.
                    self._store.put(picture, served, chart)
            self.reader.take(case_id, picture, served, chart)
        except Exception as error:
            # Whatever is wrong with the chart of one image must not take its clicks away, or other images' charts.
            reason = " ".join(str(error).split()) or type(error).__name__
            log.warning("%s: no proposals, since its chart failed (%s)", image.name, reason)
            self.reader.fail(case_id, picture, served)
        return None if chart is None else chart.uncertainty
