"""What a detector is: a fold over a stream of measurements that gives evidence of change window by window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol

from llmmon.errors import ConfigError
from llmmon.model import STANDARD_ERROR, Direction, Evidence, Measurement
from llmmon.registry import Registry

Z_95: Final = 1.959963984540054
"""Standard normal quantile of the 95% intervals that measurements carry."""
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


def check_sides(sides: str, direction: Direction) -> None:
    """Raise `ConfigError` when only changes for the worse matter and the metric does not say which way is better."""
    if sides == "worse" and direction == "neither":
        raise ConfigError(
            "detector: sides = 'worse' needs a metric that says which direction is better; "
            "this one does not, so leave sides at 'both'"
        )


def counts(sides: str, effect: float, direction: Direction) -> bool:
    """Return whether an effect lies on a side that matters."""
    return effect != 0 and (sides == "both" or (effect > 0) == (direction == "lower_is_better"))


def squared_error(measurement: Measurement) -> float:
    """Return the squared standard error of a window: of its interval, else the one its metric tells, else 0."""
    low, high = measurement.estimate.low, measurement.estimate.high
    if low is None or high is None:
        return float(measurement.estimate.detail.get(STANDARD_ERROR, 0.0)) ** 2
    return ((high - low) / (2 * Z_95)) ** 2


detectors: Registry[Detector] = Registry("detectors")
