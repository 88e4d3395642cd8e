"""Properties of the stratified draw."""

from __future__ import annotations

import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmmon.errors import ConfigError
from llmmon.model import RequestLog, Window
from llmmon.pipeline.draw_sample import allocate, stratified_draw

WINDOW = Window.parse("2023-06-27T05:00:00", hours=1)
POPULATIONS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 200), min_size=1)


def requests(population: dict[str, int]) -> list[tuple[int, RequestLog]]:
    routes = [route for route, n in sorted(population.items()) for _ in range(n)]
    return [
        (
            key,
            RequestLog(
                source="logs",
                request_id=f"req-{key}",
                occurred_at=datetime(2023, 6, 27, 5, tzinfo=UTC) + timedelta(seconds=key),
                deployment="d",
                model="m",
                messages=(),
                route=route,
                groups={"age": "old"} if key % 2 else {},
            ),
        )
        for key, route in enumerate(routes)
    ]


def draw(rows, per_window, window=WINDOW, strata=("route",)):
    return stratified_draw(rows, deployment="d", window=window, strata=strata, per_window=per_window)


@settings(deadline=None)
@given(POPULATIONS, st.integers(0, 100))
def test_sizes_are_at_least_one_at_most_all_and_sum_up(population, total):
    """Every stratum is drawn from, none beyond its size, and together they are what was asked for."""
    sizes = allocate(population, total)
    if total == 0:
        assert sizes == {}
        return
    assert sizes.keys() == population.keys()
    assert all(1 <= sizes[stratum] <= population[stratum] for stratum in population)
    assert sum(sizes.values()) == min(sum(population.values()), max(total, len(population)))


@settings(deadline=None)
@given(POPULATIONS, st.integers(1, 100))
def test_shares_are_proportional(population, total):
    """A stratum holding more than one place never has more than its share rounded up."""
    everything = sum(population.values())
    for stratum, size in allocate(population, total).items():
        assert size <= max(1, -(-total * population[stratum] // everything))


@settings(max_examples=30, deadline=None)
@given(POPULATIONS, st.integers(1, 100), st.randoms())
def test_the_draw_does_not_depend_on_the_order_of_arrival(population, per_window, random):
    """Shuffled requests give the same draws, seeds included; the weights of a stratum sum to its size."""
    rows = requests(population)
    draws, n_strata = draw(rows, per_window)
    random.shuffle(rows)
    assert draw(rows, per_window) == (draws, n_strata)
    assert n_strata == len(population)
    weights = Counter()
    for one in draws:
        weights[one.stratum] += 1 / one.probability
    assert weights == pytest.approx(population)
    assert len({one.request_key for one in draws}) == len(draws)
    assert all(0 <= one.seed < 2**63 for one in draws)


def test_the_estimate_of_a_total_is_right_on_average_over_windows():
    """Horvitz-Thompson totals over 400 windows' hashes have the true total as mean, within four standard errors."""
    rows = requests({"a": 60, "b": 30, "c": 3})
    truth = sum(key**1.5 for key, _ in rows)
    totals = []
    for hour in range(400):
        start = WINDOW.start + timedelta(hours=hour)
        draws, _ = draw(rows, 12, window=Window(start=start, end=start + timedelta(hours=1)))
        totals.append(sum(one.request_key**1.5 / one.probability for one in draws))
    error = statistics.stdev(totals) / len(totals) ** 0.5
    assert abs(statistics.mean(totals) - truth) < 4 * error
    assert statistics.stdev(totals) > 0


def test_strata_may_be_groups_and_an_unknown_field_is_named():
    """group.<name> makes a stratum of each value, the absent one included; an unknown field is refused."""
    draws, n_strata = draw(requests({"a": 10}), 4, strata=("route", "group.age"))
    assert n_strata == 2
    assert {one.stratum for one in draws} == {"a|", "a|old"}
    with pytest.raises(ConfigError, match=r"deployments\.d\.sample\.strata: no field 'colour'; expected one of route"):
        draw(requests({"a": 1}), 1, strata=("colour",))
