"""What a detector is: a fold over a stream of measurements that gives evidence of change window by window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from llmmon.model import Direction, Evidence, Measurement
from llmmon.registry import Registry

State = Mapping[str, Any]
"""All that a detector remembers of a stream: JSON values whose size the number of windows does not raise for ever."""


class Detector(Protocol):
    """Turns one stream into evidence, one window after the other, as a pure function of state and measurement.

    Because nothing else goes in, a re-run, a backfill, another order of arrival or a state that was kept in Postgres
    meanwhile gives the same evidence.
    """

    plugin_name: ClassVar[str]

    def begin(self) -> State:
        """Return the state of a stream without windows."""
        ...

    def restart(self, state: State) -> State:
        """Return the state with which a stream goes on after a person resolved its alert.

        The level may have changed for good: it is learnt anew. Rhythm and variation that were learnt may stay, where
        the detector can keep them; a detector that cannot returns ``begin()``.

        Parameters
        ----------
        state : mapping
            As the last step before left it.
        """
        ...

    def step(
        self, state: State, measurement: Measurement, *, min_effect: float, direction: Direction
    ) -> tuple[State, Evidence]:
        """Return the state after one more window, and the evidence by then.

        Parameters
        ----------
        state : mapping
            As `begin` or the step before returned it, or read back from JSON; never changed in place.
        measurement : Measurement
            The next window of one deployment, monitor and segment; windows come in the order of time.
        min_effect : float
            Smallest change worth waking someone for, in the metric's unit.
        direction : str
            Of the metric; a detector may look only at changes for the worse.
        """
        ...


def fold(
    detector: Detector, stream: Sequence[Measurement], *, min_effect: float, direction: Direction
) -> list[Evidence]:
    """Return one `Evidence` per measurement of a stream that is sorted by window."""
    state, found = detector.begin(), []
    for measurement in stream:
        state, evidence = detector.step(state, measurement, min_effect=min_effect, direction=direction)
        found.append(evidence)
    return found


detectors: Registry[Detector] = Registry("detectors")
