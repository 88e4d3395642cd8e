"""llmmon's detectors on arrays, and the decision that `llmmon detect` takes: e-BH over a deployment's streams."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from benchmarks.alarms.streams import Floats, Streams
from llmmon.detectors.base import Detector, fold
from llmmon.detectors.learned_stream import log_evidence
from llmmon.detectors.reference_change import ReferenceChange
from llmmon.detectors.rhythm import Rhythm
from llmmon.detectors.seasonal_change import SHIFTED
from llmmon.metrics.intervals import Z
from llmmon.model import Estimate, Measurement, Window

ALPHA = 0.05
FIRST_MONDAY = 96.0
"""Hours of Unix time at the first Monday 00:00."""

LogEvidence = tuple[Floats, Floats, Floats]
"""Log e-values (minus infinity where there is none) and effects, both of shape (n_streams, n_windows - n_reference);
and the streams' smallest effects."""


OURS = "llmmon"
"""`seasonal_change`, which a monitor gets that names no detector and has a week of reference."""
OURS_TWO = "llmmon, with ks_distance"
"""A second monitor on each numeric column, the KS distance of its rows; both take part in the budget."""
FOLDED = "llmmon reference_change"
FOLDED_STREAMS, FOLDED_WINDOWS = 10, 500
"""`reference_change` has no array form: that many streams are folded, of at most so many windows."""
_CHUNK = 50


def evidence(streams: Streams, *, of_any_size: bool = True) -> dict[str, LogEvidence]:
    """Return the evidence of llmmon's detectors, for effects of any size or from the streams' smallest on."""
    found = {OURS: _in_chunks(streams, of_any_size=of_any_size)}
    beside = streams.distances()
    if beside is not None:
        pairs = zip(found[OURS], _in_chunks(beside, of_any_size=of_any_size), strict=True)
        log_e, effect, smallest = (np.concatenate(pair) for pair in pairs)
        found[OURS_TWO] = log_e, effect, smallest
    if streams.shape[1] <= FOLDED_WINDOWS:
        few = streams.top(FOLDED_STREAMS)
        found[FOLDED] = *folded(ReferenceChange(burn_in=streams.n_reference), few), found[OURS][2][: few.shape[0]]
    return found


def by_stream(log_e: Floats, streams: Streams) -> Floats:
    """Return the larger evidence of each stream's monitors, of shape (n_streams, n_windows)."""
    n = streams.shape[0]
    if len(log_e) == n:
        return log_e
    found = log_e[:n].copy()
    found[streams.has_ks] = np.maximum(found[streams.has_ks], log_e[n:])
    return found


def _in_chunks(streams: Streams, *, of_any_size: bool) -> LogEvidence:
    smallest = np.zeros(streams.shape[0]) if of_any_size else streams.min_effect()
    chunks = [range(first, min(first + _CHUNK, streams.shape[0])) for first in range(0, streams.shape[0], _CHUNK)]
    log_e, effect = (
        np.concatenate(parts) for parts in zip(*(_on_arrays(streams, chunk, smallest) for chunk in chunks), strict=True)
    )
    return log_e, effect, smallest


def _on_arrays(streams: Streams, rows: range, min_effect: Floats) -> tuple[Floats, Floats]:
    k, hours = streams.n_reference, streams.hours + FIRST_MONDAY
    values, variances, smallest = streams.values[rows], streams.variances[rows], min_effect[rows, None]
    log_e = log_evidence(
        values,
        variances,
        hours,
        SHIFTED,
        burn_in=k,
        min_effect=smallest,  # type: ignore[arg-type]
    )
    rhythm = Rhythm.learn(values[:, :k], variances[:, :k], hours[:k])
    return log_e, (values - rhythm.at(hours)[0])[:, k:]


def folded(detector: Detector, streams: Streams) -> tuple[Floats, Floats]:
    """Return what `detector` says, window by window, as `llmmon detect` runs it."""
    tested = (streams.shape[0], streams.shape[1] - streams.n_reference)
    log_e, effect = np.full(tested, -np.inf), np.zeros(tested)
    step = timedelta(hours=int(streams.hours[1] - streams.hours[0]))
    starts = [datetime.fromtimestamp(3600 * (FIRST_MONDAY + hour), UTC) for hour in streams.hours.tolist()]
    windows = [Window(start=start, end=start + step) for start in starts]
    for row in range(streams.shape[0]):
        stream = [
            _measurement(window, value, variance, n)
            for window, value, variance, n in zip(
                windows,
                streams.values[row].tolist(),
                streams.variances[row].tolist(),
                streams.n[row].tolist(),
                strict=True,
            )
        ]
        found = fold(detector, stream, min_effect=0.0, direction="neither")[streams.n_reference :]
        for column, evidence in enumerate(found):
            if evidence.e_value is not None:
                log_e[row, column] = math.log(evidence.e_value) if evidence.e_value > 0 else -np.inf
            effect[row, column] = evidence.effect or 0.0
    return log_e, effect


def _measurement(window: Window, value: float, variance: float, n: int) -> Measurement:
    half = Z * math.sqrt(variance)
    low, high = (value - half, value + half) if variance > 0 else (None, None)
    reason = None if variance > 0 else "no interval"
    estimate = Estimate(value=value, n=n, low=low, high=high, reason=reason)
    return Measurement(deployment="d", monitor="m", segment="all", window=window, estimate=estimate, unit="")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a deployment's year looked like.

    Parameters
    ----------
    first : array of shape (n_streams,)
        Tested window of each stream's first alarm, -1 without one.
    worst : float
        Largest score: the deployment would have alarmed at every threshold up to it.
    """

    first: npt.NDArray[np.int64]
    worst: float

    @property
    def is_alarmed(self) -> bool:
        return bool((self.first >= 0).any())

    @property
    def first_window(self) -> int | None:
        """Tested window of the deployment's first alarm."""
        return int(self.first[self.first >= 0].min()) if self.is_alarmed else None


def decide(log_e: Floats, effect: Floats, *, min_effect: Floats, alpha: float = ALPHA) -> Decision:
    """Reject by e-BH at every window, as `llmmon.detectors.e_benjamini_hochberg.reject` does; alarm where relevant.

    The score `worst` is log(1/alpha) of the smallest alpha at which any alarm would be raised.
    """
    m = len(log_e)
    first = np.full(m, -1, dtype=np.int64)
    relevant = (np.abs(effect) >= min_effect[:, None]) & (effect != 0)
    worst = float(np.where(relevant, log_e, -np.inf).max()) - math.log(m)
    for column in np.flatnonzero(log_e.max(axis=0) >= min(0.0, math.log(1 / alpha))):
        order = np.argsort(-log_e[:, column], kind="stable")
        spent = np.log(np.arange(1, m + 1)) + log_e[order, column] - math.log(m)
        # a stream alarms at the best k at or below its place in the order
        reach = np.maximum.accumulate(spent[::-1])[::-1]
        counts = relevant[order, column]
        if counts.any():
            worst = max(worst, float(reach[counts].max()))
        rejected = order[(reach >= math.log(1 / alpha)) & counts]
        first[rejected] = np.where(first[rejected] < 0, column, first[rejected])
    return Decision(first=first, worst=worst)
