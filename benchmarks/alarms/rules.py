"""Rules that peers use, as functions from streams to a score per tested window: an alarm is a score at its threshold.

Every score is one that a larger threshold makes rarer, so that rules can be brought to the same false-alarm rate.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.alarms.streams import Floats, Streams


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One way to decide on alarms, stream by stream.

    Parameters
    ----------
    name : str
        As printed.
    score : callable
        Streams to scores of shape (n_streams, n_windows - n_reference); NaN where the rule does not apply.
    threshold : float
        The score at which the rule alarms by default.
    note : str
        What the default is, and how it was fed.
    max_streams : int or None
        How many of a deployment's streams it is run on, for speed; None for all.
    """

    name: str
    score: Callable[[Streams], Floats]
    threshold: float
    note: str
    max_streams: int | None = None


def z_scores(streams: Streams) -> Floats:
    """Return distances from the reference windows' mean in their standard deviations."""
    mean, deviation = streams.reference.mean(axis=1, keepdims=True), streams.reference.std(axis=1, keepdims=True)
    return np.abs(streams.values[:, streams.n_reference :] - mean) / np.maximum(deviation, 1e-12)


def z_scores_trailing(streams: Streams) -> Floats:
    """Return distances from the mean of as many windows just before as the reference has, in their deviations."""
    k = streams.n_reference
    x = streams.values - streams.values.mean(axis=1, keepdims=True)
    total, squares = (np.cumsum(np.pad(y, ((0, 0), (1, 0))), axis=1) for y in (x, x * x))
    mean = (total[:, k:-1] - total[:, : -k - 1]) / k
    variance = (squares[:, k:-1] - squares[:, : -k - 1]) / k - mean**2
    return np.abs(x[:, k:] - mean) / np.sqrt(np.maximum(variance, 1e-24))


def z_scores_by_hour(streams: Streams) -> Floats:
    """Return distances from the reference's mean at the same hour of the day, in the deviations from such means."""
    hour = streams.hours % 24
    expected = np.zeros(streams.shape)
    for at in np.unique(hour):
        columns = hour == at
        expected[:, columns] = streams.reference[:, columns[: streams.n_reference]].mean(axis=1, keepdims=True)
    residual = streams.values - expected
    own = residual[:, : streams.n_reference]
    spread = np.sqrt((own**2).sum(axis=1, keepdims=True) / max(own.shape[1] - len(np.unique(hour)), 1))
    return np.abs(residual[:, streams.n_reference :]) / np.maximum(spread, 1e-12)


def adwin_scores(streams: Streams, *, clock: int = 32) -> Floats:
    r"""Return log(1/delta) of the smallest delta at which river's ADWIN cuts at each window, if it had not cut before.

    Before its first cut ADWIN's buckets depend on the number of values only, so each check is the same set of cuts for
    all streams. It cuts where :math:`|u_0 - u_1| \ge \sqrt{2 v L / m} + 2 L / (3 m)` with
    :math:`L = \ln(2 \ln(n) / \delta)`. Values are fed in standard deviations from the reference's mean, because ADWIN
    expects values of unit scale. A window at which it does not check (all but every 32nd) scores minus infinity.
    """
    mean, deviation = streams.reference.mean(axis=1, keepdims=True), streams.reference.std(axis=1, keepdims=True)
    x = (streams.values - mean) / np.maximum(deviation, 1e-12)
    total, squares = np.cumsum(x, axis=1), np.cumsum(x * x, axis=1)
    found = np.full((streams.shape[0], streams.shape[1] - streams.n_reference), -np.inf)
    for n, cuts in adwin_cuts(streams.shape[1], clock):
        if n <= streams.n_reference or not len(cuts):
            continue
        n0, n1 = cuts.astype(np.float64), (n - cuts).astype(np.float64)
        variance = np.maximum(squares[:, n - 1] / n - (total[:, n - 1] / n) ** 2, 0)[:, None]
        before = total[:, cuts - 1]
        gap = np.abs(before / n0 - (total[:, n - 1 : n] - before) / n1)
        m = 1 / (n0 - 4) + 1 / (n1 - 4)
        # gap = sqrt(2 m v L) + 2/3 m L, solved for L
        a, b = 2 / 3 * m, np.sqrt(2 * m * variance)
        root = (np.sqrt(b * b + 4 * a * gap) - b) / (2 * a)
        found[:, n - 1 - streams.n_reference] = (root**2).max(axis=1) - np.log(2 * np.log(n))
    return found


@functools.cache
def adwin_cuts(n_values: int, clock: int) -> list[tuple[int, npt.NDArray[np.int64]]]:
    """Return at which numbers of values ADWIN checks, and how many of the oldest values each cut it tries holds."""
    buckets: list[int] = []  # buckets[i] buckets of 2**i values
    checks = []
    for n in range(1, n_values + 1):
        row = 0
        if not buckets:
            buckets.append(0)
        buckets[0] += 1
        while buckets[row] == 6:
            buckets[row] -= 2
            if row + 1 == len(buckets):
                buckets.append(0)
            buckets[row + 1] += 1
            row += 1
        if n % clock == 0 and n > 10:
            sizes = [2**i for i in range(len(buckets) - 1, -1, -1) for _ in range(buckets[i])]
            cuts = np.cumsum(sizes)[:-1]
            checks.append((n, cuts[(cuts >= 5) & (n - cuts >= 5)].astype(np.int64)))
    return checks


def kswin_scores(streams: Streams, *, window_size: int = 100, stat_size: int = 30) -> Floats:
    """Return the distances that river's KSWIN tests: the last 30 values against 30 drawn from the 70 before them."""
    random = np.random.default_rng(0)
    first = max(streams.n_reference, window_size - 1)  # the first tested window with 100 values behind it
    n_tested = max(streams.shape[1] - first, 0)
    found = np.full((streams.shape[0], streams.shape[1] - streams.n_reference), -np.inf)
    older = np.argsort(random.random((n_tested, window_size - stat_size)), axis=1)[:, :stat_size]
    ends = np.arange(first, streams.shape[1])[:, None]
    recent = ends - np.arange(stat_size)
    older = ends - (window_size - 1) + older
    places = np.concatenate([older, recent], axis=1)
    is_recent = np.repeat(np.array([0, 1], dtype=np.int32), stat_size)
    for row, values in enumerate(streams.values):
        ranks = np.unique(values, return_inverse=True)[1].astype(np.int32)
        ordered = np.sort(2 * ranks[places] + is_recent, axis=1)  # one sort of whole numbers carries the labels along
        steps = np.cumsum(2 * (ordered & 1) - 1, axis=1, dtype=np.int8)
        last_of_tie = np.ones(ordered.shape, dtype=bool)
        last_of_tie[:, :-1] = ordered[:, 1:] >> 1 > ordered[:, :-1] >> 1
        found[row, first - streams.n_reference :] = np.where(last_of_tie, np.abs(steps), 0).max(axis=1) / stat_size
    return found


def kswin_threshold(alpha: float = 0.005, stat_size: int = 30) -> float:
    """Return the distance from which KSWIN's p-value is at most `alpha` (a half step below, for rounding)."""
    from scipy.stats import ks_2samp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # as river does: it says that it took the asymptotic p-value
        for k in range(1, stat_size + 1):
            if ks_2samp(np.ones(stat_size), np.repeat([0.0, 1.0], [k, stat_size - k]))[1] <= alpha:
                return (k - 0.5) / stat_size
    raise ValueError(f"no distance of {stat_size} values reaches p = {alpha}")


def evidently_scores(streams: Streams) -> Floats:
    """Return Evidently's score where rows are at hand."""
    if streams.distance is None:
        return np.full((streams.shape[0], streams.shape[1] - streams.n_reference), np.nan)
    return streams.distance[:, streams.n_reference :]


def peers() -> list[Rule]:
    """Return every peer with its default threshold."""
    return [
        Rule(
            name="z-score = NannyML",
            score=z_scores,
            threshold=3.0,
            note="reference mean +- 3 sd of the window's statistic, NannyML's default threshold",
        ),
        Rule(name="z-score, trailing", score=z_scores_trailing, threshold=3.0, note="3 sd of the windows just before"),
        Rule(
            name="z-score by hour",
            score=z_scores_by_hour,
            threshold=3.0,
            note="3 residual standard deviations from the mean of the hour of day",
        ),
        Rule(
            name="river ADWIN",
            score=adwin_scores,
            threshold=-float(np.log(0.002)),
            note="delta 0.002, clock 32; values standardised by the reference",
        ),
        Rule(
            name="river KSWIN",
            score=kswin_scores,
            threshold=kswin_threshold(),
            note="alpha 0.005, window 100, statistic 30",
            max_streams=20,
        ),
        Rule(
            name="Evidently",
            score=evidently_scores,
            threshold=1.0,
            note="its default test per column: Wasserstein or Jensen-Shannon 0.1, p < 0.05 up to 1,000 reference rows",
        ),
    ]
