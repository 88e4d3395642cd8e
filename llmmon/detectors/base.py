"""What a detector is: it turns a stream of measurements into evidence of change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from llmmon.model import Direction, Evidence, Measurement
from llmmon.registry import Registry


class Detector(Protocol):
    """Turns one stream into evidence, window by window, as a pure function of its measurements.

    Because nothing else goes in, a re-run, a backfill or another order of arrival gives the same evidence.
    """

    plugin_name: ClassVar[str]

    def evidence(self, stream: Sequence[Measurement], *, min_effect: float, direction: Direction) -> list[Evidence]:
        """Return one `Evidence` per measurement, in window order.

        Parameters
        ----------
        stream : sequence of Measurement
            One deployment, monitor and segment, sorted by window.
        min_effect : float
            Smallest change worth waking someone for, in the metric's unit.
        direction : str
            Of the metric; a detector may look only at changes for the worse.
        """
        ...


detectors: Registry[Detector] = Registry("detectors")
