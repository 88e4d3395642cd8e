"""What a stream that has learnt its baseline is watched for: changes, and what each window says for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from llmmon.detectors.baseline import Baseline
from llmmon.detectors.start_mixture import Floats


class Ratios(Protocol):
    """What the windows say for each alternative, against the baseline."""

    def __call__(
        self, baseline: Baseline, z: Floats, centre: Floats, expected: Floats, spread: Floats
    ) -> tuple[Floats, Floats]:
        """Return log ratios of shape (n_streams, n_alternatives, n_windows).

        Parameters
        ----------
        z : array of shape (n_streams, n_windows)
            Standardised windows, NaN where there is none; the one before the first is unknown.
        centre : array of shape (n_streams, n_windows)
            Of the innovations, by all windows before.
        expected, spread : arrays of shape (n_streams, n_windows)
            What was expected and its standard deviation, in the value's unit.

        Returns
        -------
        first, later : arrays
            If the change begins with the window, and if it began before: expectation at most 1 while nothing changes.
            -inf and 0 for a window without value.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Alternatives:
    """The changes that evidence is mixed over.

    Parameters
    ----------
    ratios : Ratios
        What the windows say for each.
    log_weights : array of shape (n_alternatives,)
        Log prior weight of each; the weights add up to 1.
    integrates_level : bool
        Whether the level of a stream without a band is a number with a normal error, which is integrated out of both
        the likelihood of a change and that of none, or what it was estimated to be.
    """

    ratios: Ratios
    log_weights: Floats
    integrates_level: bool = False
