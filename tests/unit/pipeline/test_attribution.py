"""The arithmetic of the three lanes: by hand, as identities, and on planted faults."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from benchmarks.attribution import RIGHT, Fault, named_cause, simulate
from llmmon.pipeline.attribution import Attribution, Lanes, attribute


def _lanes(stored: list[float], **lanes: Any) -> Lanes:
    n = len(stored)
    given = {name: None if lane is None else np.array(lane, dtype=float) for name, lane in lanes.items()}
    stratum = given.pop("stratum", None)
    labels = np.full(n, "a") if stratum is None else stratum.astype(int).astype(str)
    weight = given.pop("weight", None)
    return Lanes(
        weight=np.ones(n) if weight is None else weight, stratum=labels, stored=np.array(stored, dtype=float), **given
    )


def _shares(found: Attribution) -> dict[str, float | None]:
    return {share.cause: None if share.value is None else round(share.value, 9) for share in found.shares}


def test_shares_of_one_stratum_by_hand() -> None:
    """Means are 2, 2, 2, 1 before and 9, 7, 4, 1.5 now: judge 2, noise 3, model 1.5, traffic 0.5, together 7."""
    before = _lanes([1, 2, 3], logged=[1, 2, 3], serving=[[1], [2], [3]], reference=[1, 1, 1])
    now = _lanes([8, 9, 10], logged=[6, 7, 8], serving=[[3], [4], [5]], reference=[1, 1.5, 2])

    found = attribute(before, now)

    assert found.total.value == pytest.approx(7)
    assert _shares(found) == {"traffic": 0.5, "model": 1.5, "serving noise": 3.0, "judge": 2.0}


def test_a_change_of_mix_is_traffic_by_hand() -> None:
    """Strata at 10 and 20, 5 and 5 requests before and 5 and 15 now: 2.5 more, all traffic, nothing from the model."""
    before = _lanes([10.0] * 5 + [20.0] * 5, stratum=[0] * 5 + [1] * 5)
    now = _lanes([10.0] * 5 + [20.0] * 15, stratum=[0] * 5 + [1] * 15)

    found = attribute(before, now)

    assert _shares(found)["traffic"] == 2.5
    assert _shares(found)["model"] == 0.0


def test_the_interval_by_hand() -> None:
    """Two sides of four, variance 5/3 each, equal weights: error sqrt(2 (5/3) / 4), 6 degrees of freedom, t 2.4469."""
    found = attribute(_lanes([0, 1, 2, 3]), _lanes([10, 11, 12, 13]))

    half = 2.446911851 * np.sqrt(2 * (5 / 3) / 4)
    assert found.total.low == pytest.approx(10 - half)
    assert found.total.high == pytest.approx(10 + half)


def test_only_what_every_answer_shows_is_the_model() -> None:
    """Of three answers the least moved one counts: 1, 1, 1 is a model; 0, 1, 1 is noise."""
    before = _lanes([0.0] * 10, serving=[[0, 0, 0]] * 10, reference=[0.0] * 10)
    settled = attribute(before, _lanes([1.0] * 10, serving=[[1, 1, 1]] * 10, reference=[0.0] * 10))
    noisy = attribute(before, _lanes([1.0] * 10, serving=[[0, 1, 1]] * 10, reference=[0.0] * 10))

    assert (settled.cause, noisy.cause) == ("model", "serving noise")


def test_a_missing_lane_is_in_its_neighbour_and_says_so() -> None:
    """Without serving and judge their shares are absent with a reason, and the others still add up."""
    found = attribute(_lanes([1, 2, 3], reference=[1, 2, 3]), _lanes([5, 6, 7], reference=[1, 2, 3]))

    assert _shares(found) == {"traffic": 0.0, "model": 4.0, "serving noise": None, "judge": None}
    assert [bool(share.reason) for share in found.shares] == [False, False, True, True]


@pytest.mark.parametrize("seed", range(5))
def test_shares_add_up_whatever_the_order_of_rows(seed: int) -> None:
    """The shares add up to the shift, and a shuffled side gives the same ones."""
    random = np.random.default_rng(seed)
    before, now = simulate(random, 80, "words", "nothing", 2), simulate(random, 40, "words", "model", 2)
    order = random.permutation(40)
    assert now.logged is not None
    assert now.serving is not None
    assert now.reference is not None
    shuffled = Lanes(
        weight=now.weight[order],
        stratum=now.stratum[order],
        stored=now.stored[order],
        logged=now.logged[order],
        serving=now.serving[order],
        reference=now.reference[order],
    )

    found, again = attribute(before, now), attribute(before, shuffled)

    assert sum(share.value or 0 for share in found.shares) == pytest.approx(found.total.value)
    assert [share.value for share in again.shares] == pytest.approx([share.value for share in found.shares])
    assert [share.low for share in again.shares] == pytest.approx([share.low for share in found.shares])


def test_intervals_hold_what_they_say() -> None:
    """Without any fault each 95% interval holds 0 in 92 to 98% of 400 runs, with unequal weights and a new mix."""
    held: Counter[str] = Counter()
    for seed in range(400):
        random = np.random.default_rng(seed)
        found = attribute(simulate(random, 300, "0/1", "nothing", 1), simulate(random, 100, "0/1", "nothing", 1))
        held.update(share.cause for share in found.shares if not share.is_significant)
    # the judge is the same in every run: its interval is 0 to 0
    assert held["judge"] == 400
    assert all(368 <= held[cause] <= 392 for cause in ("traffic", "model", "serving noise")), held


@pytest.mark.parametrize("kind", ["0/1", "words"])
@pytest.mark.parametrize("fault", ["nothing", "traffic", "model", "passing noise", "lasting noise", "judge"])
def test_single_causes_are_named(kind: str, fault: Fault) -> None:
    """Each planted cause is named in at least 90% of 30 seeded runs, and hardly ever one where nothing was planted."""
    named = Counter(named_cause(kind, fault, seed=seed, n=200, n_reference=800, answers=3) for seed in range(30))

    assert named[RIGHT.get(fault, fault)] >= 27, named


def test_too_few_replays_ask_for_more() -> None:
    """A shift of 1 with intervals of about +-4 needs about 16 times the replays; two requests are refused."""
    random = np.random.default_rng(3)
    before, now = _lanes(list(random.normal(0, 3, 12))), _lanes(list(random.normal(1, 3, 8)))

    found = attribute(before, now)

    assert found.cause is None
    assert found.n_more is not None
    size, half = abs(found.total.value or 0), max(share.half_width for share in (found.total, *found.shares))
    assert found.n_more == np.ceil(8 * (half / size) ** 2) - 8
    with pytest.raises(ValueError, match="3 are needed on both"):
        attribute(before, _lanes([1.0, 2.0]))
    with pytest.raises(ValueError, match="lane reference is on one side only"):
        attribute(before, _lanes([1.0, 2.0, 3.0], reference=[1.0, 2.0, 3.0]))


def test_equal_values_do_not_make_sure() -> None:
    """Four refusals of four after none of four: the interval is no point, it allows an odd request on either side."""
    found = attribute(_lanes([0.0] * 4), _lanes([1.0] * 4))

    assert found.total.low == pytest.approx(1 - 2.446911851 * np.sqrt(2 / 36))
