"""The search for segments: contributions by hand, planted segments, and how often it errs when nothing stands out."""

from __future__ import annotations

import numpy as np
import pytest

from llmmon.pipeline.subgroups import Sliced, _holm, search


def _sliced(value: list[float], **fields: list[str]) -> Sliced:
    return Sliced(
        value=np.array(value, dtype=float),
        weight=np.ones(len(value)),
        fields={name: np.array(column) for name, column in fields.items()},
    )


def _simulated(seed: int, n: int, change: str) -> Sliced:
    random = np.random.default_rng(seed)
    mix = [0.2, 0.2, 0.2, 0.4] if change == "mix" else [0.4, 0.3, 0.2, 0.1]
    route, language = random.choice(list("abcd"), n, p=mix), random.choice(["en", "de", "fr"], n, p=[0.6, 0.3, 0.1])
    chance = np.select([route == "a", route == "b", route == "c"], [0.05, 0.1, 0.2], 0.5)
    if change == "route":
        chance = np.where(route == "c", 0.6, chance)
    if change == "pair":
        chance = np.where((route == "b") & (language == "de"), 0.7, chance)
    if change == "everywhere":
        chance = chance + 0.15
    return Sliced(
        value=(random.random(n) < chance).astype(float),
        weight=np.ones(n),
        fields={"route": route, "language": language, "tenant": random.choice([f"t{i}" for i in range(8)], n)},
    )


def test_a_contribution_by_hand() -> None:
    """Route b goes from 1 to 3 at half of the traffic, a stays at 1: b carries (3 - 1) / 2 of a shift of 1: all."""
    routes = ["a"] * 30 + ["b"] * 30
    noise = [-0.1, 0.1] * 15
    before = _sliced([1 + e for e in noise] + [1 + e for e in noise], route=routes)
    now = _sliced([1 + e for e in noise] + [3 + e for e in noise], route=routes)

    found = search(before, now)

    b = next(item for item in found.carriers if item.segment == (("route", "b"),))
    assert found.n_candidates == 2
    assert (b.how, b.n_reference, b.n_current) == ("answers", 30, 30)
    assert (b.before, b.now, b.contribution) == pytest.approx((1.0, 3.0, 1.0))
    # two means of 30 with variance 0.01 * 30 / 29: error sqrt(2 * 0.01 / 29), t with 58 degrees of freedom 2.0017
    assert b.high - b.low == pytest.approx(2 * 2.001717484 * np.sqrt(2 * 0.01 / 29))


def test_holm_by_hand() -> None:
    """Of 0.01, 0.04 and 0.03 the adjusted p-values are 0.03, 0.06 and 0.06."""
    assert _holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


@pytest.mark.parametrize(
    ("change", "segment", "how"),
    [
        ("route", (("route", "c"),), "answers"),
        ("pair", (("language", "de"), ("route", "b")), "answers"),
        ("mix", (("route", "d"),), "traffic"),
    ],
)
def test_a_planted_segment_comes_first(change: str, segment: tuple[tuple[str, str], ...], how: str) -> None:
    """In at least 18 of 20 runs the planted segment is named first, not a part of it and nothing wider."""
    hits = 0
    for seed in range(20):
        found = search(_simulated(seed, 1500, "nothing"), _simulated(1000 + seed, 500, change))
        hits += bool(found.carriers) and (found.carriers[0].segment, found.carriers[0].how) == (segment, how)
    assert hits >= 18


@pytest.mark.parametrize("change", ["nothing", "everywhere"])
def test_it_seldom_names_a_segment_when_none_carries_more(change: str) -> None:
    """Over 80 candidates a segment is named in at most 12 of 100 runs: 5%, and what chance adds."""
    named = sum(
        bool(search(_simulated(seed, 1500, "nothing"), _simulated(1000 + seed, 500, change)).carriers)
        for seed in range(100)
    )
    assert named <= 12


def test_few_requests_are_not_cut() -> None:
    """Below twice the support nothing is looked at, a segment below it is no candidate, constant values are fine."""
    assert search(_sliced([1.0] * 30), _sliced([2.0] * 100)).n_candidates == 0
    small = search(
        _sliced([0.0, 1.0] * 50, route=["a"] * 90 + ["b"] * 10), _sliced([0.0, 1.0] * 50, route=["a"] * 90 + ["b"] * 10)
    )
    assert small.n_candidates == 0
    constant = search(_sliced([1.0] * 100, route=["a", "b"] * 50), _sliced([1.0] * 100, route=["a", "b"] * 50))
    assert constant.carriers == ()


def test_a_new_segment_is_one_of_traffic() -> None:
    """A route that was not there before and answers at another level is named with what it adds."""
    before = _sliced([0.0, 1.0] * 100, route=["a", "b"] * 100)
    now = _sliced([0.0, 1.0] * 50 + [5.0] * 50, route=["a", "b"] * 50 + ["new"] * 50)

    first = search(before, now).carriers[0]

    assert (first.segment, first.how, first.before) == ((("route", "new"),), "traffic", 0.0)
    assert first.now == pytest.approx(1 / 3)
    assert first.contribution == pytest.approx(1.0)
