"""How surely a gap of known size between groups would be found: simulated from the pairs of stored windows.

Only the pairs' absolute differences and how many independent pairs they are worth are taken from the windows. Their
signs are drawn, so that what is watched has no gap but the planted one, and the monitor's own detector judges it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from llmmon.metrics.independence import Floats
from llmmon.metrics.pairs import log_wealth
from llmmon.metrics.rates import wilson
from llmmon.model import BETS, Estimate, Measurement
from llmmon.pipeline.judge import Rule

ABSOLUTE: Final = "absolute_gaps"
"""Key of a measurement's detail with the absolute differences of its pairs."""
EFFECTIVE: Final = "n_effective"
"""Key of a measurement's detail with the independent pairs that its pairs are worth."""
N_RUNS: Final = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class GapPower:
    """The probability that a gap is found.

    Parameters
    ----------
    gap : float
        Planted, in the metric's unit.
    n_windows : int
        Windows that it is watched for.
    n_pairs : float
        Pairs that so many windows have, as the stored ones had.
    n_effective : float
        Independent pairs that these are worth, by their weights and by how many come from one user.
    probability, low, high : float or None
        Share of simulated runs in which the stream alarmed, with its 95% interval; None where `reason` says why.
    n_learnt : int
        Stored windows with pairs that it was learnt from.
    """

    gap: float
    n_windows: int
    n_pairs: float
    n_effective: float
    probability: float | None
    low: float | None
    high: float | None
    n_learnt: int
    reason: str | None = None


def gap_power(
    stored: Sequence[Measurement],
    rule: Rule,
    *,
    gap: float,
    n_windows: int,
    needed: float,
    n_runs: int = N_RUNS,
    seed: int = 0,
) -> GapPower:
    """Tell with which probability a stream finds a gap that begins now.

    Parameters
    ----------
    stored : sequence of Measurement
        Of a stream of `counterfactual_gap`, in the order of time.
    rule : Rule
        The stream's detector and smallest effect.
    gap : float
        Planted: for outcomes of 0 and 1, as many pairs more are only in the one group refused, wrong and so on; else
        every difference is moved by it.
    needed : float
        Evidence at which it alarms when it alarms alone: streams of the deployment divided by its alpha.

    Notes
    -----
    Runs in which other streams alarm at the same time need less evidence, so the deployment finds a gap that moves
    several outcomes sooner than told here. A window has as many pairs as its stored ones are worth: Kish's effective
    number with the intraclass correlation of users (`llmmon.metrics.independence.Rows.sizes`), as in the metric's
    interval but for the t quantile, since bets estimate no variance. Where users answer alike before the gap and not
    in it, more is found than told.
    """
    paired = [item.estimate for item in stored if item.estimate.detail.get(ABSOLUTE)]
    worth = [estimate.detail.get(EFFECTIVE, float(estimate.n)) for estimate in paired]
    told = GapPower(
        gap=gap,
        n_windows=n_windows,
        n_pairs=float(np.mean([estimate.n for estimate in paired])) * n_windows if paired else 0.0,
        n_effective=float(np.mean(worth)) * n_windows if paired else 0.0,
        probability=None,
        low=None,
        high=None,
        n_learnt=len(paired),
        reason="no stored window has a pair to learn from",
    )
    if not paired:
        return told
    pool = np.concatenate([np.array(estimate.detail[ABSOLUTE], dtype=np.float64) for estimate in paired])
    weights = np.concatenate([np.full(len(e.detail[ABSOLUTE]), e.n / len(e.detail[ABSOLUTE])) for e in paired])
    share_with_pairs = len(paired) / len(stored)
    sizes = np.maximum(1, np.rint(worth)).astype(np.int64)
    rng = np.random.default_rng(seed)
    n_found = 0
    for _ in range(n_runs):
        n = rng.choice(sizes, n_windows) * (rng.random(n_windows) < share_with_pairs)
        drawn = rng.choice(pool, int(n.sum()), p=weights / weights.sum()) * rng.choice((-1.0, 1.0), int(n.sum()))
        n_found += _is_found(stored[-1], rule, np.split(planted(drawn, gap, rng), np.cumsum(n)[:-1]), needed)
    low, high = wilson(n_found / n_runs, n_runs)
    return replace(told, probability=n_found / n_runs, low=low, high=high, reason=None)


def planted(differences: Floats, gap: float, rng: np.random.Generator) -> Floats:
    """Return the differences as they would be with a gap; outcomes of 0 and 1 stay such."""
    if not np.isin(differences, (-1.0, 0.0, 1.0)).all():
        return differences + gap
    side = 1.0 if gap >= 0 else -1.0
    towards = differences * side
    lower = towards <= 0  # where the outcome of the one group is 0, it may become 1
    share = min(1.0, abs(gap) / max(float(lower.mean()), 1e-9)) if len(towards) else 0.0
    return side * (towards + (lower & (rng.random(len(towards)) < share)))


def _is_found(last: Measurement, rule: Rule, windows: Sequence[Floats], needed: float) -> bool:
    state = rule.detector.begin()
    window, length = last.window, last.window.end - last.window.start
    for place, differences in enumerate(windows, start=1):
        if not len(differences):
            continue
        here = replace(window, start=window.start + place * length, end=window.end + place * length)
        estimate = Estimate(
            value=float(differences.mean()),
            n=len(differences),
            detail={BETS: log_wealth(differences, np.ones(len(differences)), None)},
        )
        state, evidence = rule.detector.step(
            state,
            replace(last, window=here, estimate=estimate),
            min_effect=rule.min_effect,
            direction=rule.direction,
        )
        if evidence.e_value is not None and evidence.e_value >= needed and evidence.relevant:
            return True
    return False
