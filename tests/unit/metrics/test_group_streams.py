"""Gaps between groups as streams: silent while groups fare alike, alarmed when one begins to fare worse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from llmmon.detectors.base import fold
from llmmon.detectors.reference_change import ReferenceChange
from llmmon.metrics.bias.contrasts import difference_interval
from llmmon.metrics.bias.groups import GroupRate
from llmmon.model import Estimate, Measurement, Window

START = datetime(2023, 6, 27, tzinfo=UTC)
N_WINDOWS, REFERENCE = 48, 12


def gaps(seed: int, *, sizes: tuple[int, int], later: tuple[int, int], drop: float) -> list[Measurement]:
    """Return the stream of `group_gap` of two groups whose sizes change, and whose first rate drops, after half."""
    random = np.random.default_rng(seed)
    stream = []
    for place in range(N_WINDOWS):
        is_late = place >= N_WINDOWS // 2
        rates = []
        for n, rate in zip(later if is_late else sizes, (0.7 - drop * is_late, 0.7), strict=True):
            rates.append(GroupRate(name="", rate=int(random.binomial(n, rate)) / n, n_rows=n, n=n))
        low, high = difference_interval(*rates)
        estimate = Estimate(
            value=rates[0].rate - rates[1].rate, n=sum(item.n_rows for item in rates), low=low, high=high
        )
        start = START + place * timedelta(hours=1)
        window = Window(start=start, end=start + timedelta(hours=1))
        stream.append(
            Measurement(
                deployment="d",
                monitor="gap",
                segment="all",
                window=window,
                estimate=estimate,
                unit="difference of rates",
            )
        )
    return stream


def alarms(stream: list[Measurement]) -> bool:
    """Return whether a detector at a budget of 1 in 20 finds a change of ten points or more."""
    found = fold(ReferenceChange(burn_in=REFERENCE), stream, min_effect=0.1, direction="higher_is_better")
    return any(item.relevant and item.e_value is not None and item.e_value >= 20 for item in found)


@pytest.mark.parametrize("later", [(100, 100), (15, 100), (100, 15)])
def test_a_gap_of_equal_groups_is_silent_whatever_their_sizes(later: tuple[int, int]) -> None:
    """At most the budget of 40 streams alarms, also when one group shrinks to a seventh."""
    assert sum(alarms(gaps(seed, sizes=(100, 100), later=later, drop=0.0)) for seed in range(40)) <= 2


def test_a_group_that_begins_to_fare_worse_alarms() -> None:
    """A drop of 25 points on 60 requests an hour is found within a day, in nearly every stream."""
    assert sum(alarms(gaps(seed, sizes=(60, 60), later=(60, 60), drop=0.25)) for seed in range(20)) >= 19
