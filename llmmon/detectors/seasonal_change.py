"""Evidence that a stream left the level of its hour and day, beyond what its reference weeks showed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from llmmon.detectors import learned_stream
from llmmon.detectors.alternatives import Alternatives
from llmmon.detectors.base import State, detectors
from llmmon.detectors.baseline import Baseline, innovations
from llmmon.detectors.start_mixture import Floats
from llmmon.model import Direction, Evidence, Measurement

_SIZES: Final = np.array([0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
SHIFTS: Final = np.concatenate([_SIZES, -_SIZES])
"""Shifts beyond the band, in standard deviations of a window."""


@detectors.register("seasonal_change")
@dataclass(frozen=True, kw_only=True, slots=True)
class SeasonalChange:
    r"""Evidence against "windows keep to the rhythm, spread and dependence of the reference weeks".

    Prefer it to `reference_change` once the reference spans a week or more: it knows hour of day (from two days on),
    weekends (from two weeks) and days of the week (from four), windows that depend on the one before, days whose level
    wanders, tails that are heavier than normal, and rates of few events. `bounded_mean` assumes less and finds later.

    Parameters
    ----------
    burn_in : int
        Reference windows: how many windows with a value are learnt from before the first is tested, at least 24. The
        pipeline sets it to the deployment's ``reference_windows`` when it is not given.
    sides : {"both", "worse"}
        Whether a change for the better is worth an alert too.

    Notes
    -----
    `Baseline` describes quiet windows by innovations u with density f. A level that is :math:`\delta` standard
    deviations off moves the innovation of the first window by :math:`\delta` and of each later one by :math:`(1 -
    \phi)\delta`. The null is composite: the level of a quiet day may lie anywhere in the band b, which is 0 where
    windows show no dependence. So a window's ratio is

    .. math:: f(u - d_\delta) / \sup_{|c| \le (1-\phi) b} f(u - c),

    with shifts of b + 1/4, ..., b + 32 either way; its expectation is at most 1 wherever in the band the level is.
    Without a band the level is one number, known but for an error, which is integrated out (`learned_stream.step`): the
    expectation is then at most 1 on average over streams, which is what a budget over many streams is about. With one,
    innovations are taken from a centre that goes on being learnt (`Baseline.next_centre`), so that errors beyond the
    band wear off. `start_mixture` adds up over when the change began.
    Where a ratio's mean over the reference days, resampled whole, is above 1, it is divided by that, and its evidence
    is raised to a power below 1 where those days gave more of it than chance would (`tempering`).

    What is assumed: the reference shows how days differ. A day such as none of them was looks like a change while it
    lasts. Checked on real traffic by ``python -m benchmarks alarms``, not proved for it.

    References
    ----------
    Wasserman, Ramdas and Balakrishnan (2020), "Universal inference", PNAS 117 (the ratio to the best of the null).
    Berger, Pericchi and Varshavsky (1998), "Bayes factors and marginal distributions in invariant situations", Sankhya
    A 60 (the level integrated out).
    """

    burn_in: int
    sides: Literal["both", "worse"] = "both"

    def __post_init__(self) -> None:
        learned_stream.check_burn_in(self.burn_in, self.sides)

    def begin(self) -> State:
        """Return no window."""
        return learned_stream.begin()

    def restart(self, state: State) -> State:
        """Return the state that keeps rhythm, spread and dependence, and learns the level anew."""
        return learned_stream.restart(state)

    def step(
        self, state: State, measurement: Measurement, *, min_effect: float, direction: Direction
    ) -> tuple[State, Evidence]:
        """Return the evidence by this window; relevant when it is `min_effect` from what its hour and day expect."""
        return learned_stream.step(
            state,
            measurement,
            SHIFTED,
            burn_in=self.burn_in,
            sides=self.sides,
            min_effect=min_effect,
            direction=direction,
        )


def shift_ratios(
    baseline: Baseline,
    z: Floats,
    centre: Floats,
    expected: Floats,  # noqa: ARG001
    spread: Floats,  # noqa: ARG001
) -> tuple[Floats, Floats]:
    """Return the log ratios of the shifts, as `Ratios` asks for."""
    keep, band = (1 - baseline.correlation)[:, None], baseline.band[:, None]
    u = (innovations(z, baseline.correlation) - centre)[:, None, :]
    width = (baseline.tails * baseline.scale**2)[:, None, None]
    likeliest = width + np.maximum(np.abs(u) - (band * keep)[:, :, None], 0.0) ** 2
    shift = np.sign(SHIFTS) * band + SHIFTS

    def log_ratio(moved: Floats) -> Floats:
        """Return log f(u - moved) - log f(u - c) of the likeliest level that is none, in place: here the time goes."""
        found = u - moved
        found *= found
        found += width
        np.divide(likeliest, found, out=found)
        np.log(found, out=found)
        found *= (baseline.tails[:, None, None] + 1) / 2
        return found

    later = log_ratio((shift * keep)[:, :, None])
    before = np.concatenate([np.full((len(z), 1), np.nan), z[:, :-1]], axis=1)
    jumps = np.isfinite(before)[:, None, :] & (baseline.correlation > 0)[:, None, None]
    first = np.where(jumps, log_ratio(shift[:, :, None]), later) if jumps.any() else later
    seen = np.isfinite(u)
    return (first, later) if seen.all() else (np.where(seen, first, -np.inf), np.where(seen, later, 0.0))


SHIFTED: Final = Alternatives(
    ratios=shift_ratios,
    # a small shift has the more weight: a nat costs it many windows and a large one next to none
    log_weights=-np.log(np.abs(SHIFTS) * np.sum(1 / np.abs(SHIFTS))),
    integrates_level=True,
)
