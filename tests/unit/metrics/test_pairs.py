"""Paired differences: published intervals, coverage, exact p-values, and gaps that keep their direction."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from llmmon.metrics.bias.counterfactual_excess import CounterfactualExcess
from llmmon.metrics.bias.counterfactual_gap import CounterfactualGap
from llmmon.metrics.pairs import holm, log_wealth, pair_estimate, paired_rates, smallest_gap
from tests.windows import make_window


def estimate(gaps, clusters=None, weights=None):
    """Return the estimate over plain pairs."""
    gaps = np.asarray(gaps, dtype=float)
    return pair_estimate(gaps, weights or np.ones(len(gaps)), clusters or [None] * len(gaps), alpha=0.05)


def change(source, target, groups=("female", "male"), attribute="gender"):
    """Return what a swap tells of itself."""
    told = {"rule": "attribute_swap", "attribute": attribute, "groups": sorted(groups)}
    return told if source is None else told | {"from": source, "to": target}


def answers(key, plain, *others, again=()):
    """Return the scores of one request: its plain replay, swaps given as (value, change), and repeats."""
    rows = [{"variant": "as_logged", "value": plain, "change": {}}]
    rows += [
        {"variant": "attribute_swap", "repeat": place, "value": value, "change": told}
        for place, (value, told) in enumerate(others)
    ]
    rows += [
        {"variant": "repeat", "repeat": place, "value": value, "change": {"rule": "repeat"}}
        for place, value in enumerate(again)
    ]
    return [{"request_key": key, "lane": "reference", **row} for row in rows]


def gap(rows, n, **parameters):
    """Return what the metric makes of a window."""
    metric = CounterfactualGap(scorer="refusal", lane="reference", **parameters)
    return metric.compute(make_window(n, scores=rows, prompt=[f"prompt {key}" for key in range(n)]), None)


@pytest.mark.parametrize(
    ("n_up", "n_down", "n", "expected"),
    [
        # by hand: p = (n_up + 1)/(n + 2), q = (n_down + 1)/(n + 2); p - q -+ 1.96 sqrt((p + q - (p - q)^2)/(n + 2))
        (1, 7, 21, (-0.50836, -0.01338)),
        (0, 0, 10, (-0.23099, 0.23099)),
        (3, 1, 18, (-0.13601, 0.33601)),
    ],
)
def test_the_interval_of_paired_rates(n_up, n_down, n, expected) -> None:
    """Worked by hand from the formula of Bonett and Price."""
    assert paired_rates(n_up, n_down, n) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("n", [10, 20, 60, 200])
def test_the_interval_of_paired_rates_covers(n) -> None:
    """On average over discordant shares and gaps it covers 95% or a little more."""
    random = np.random.default_rng(n)
    covered = []
    for discordant in (0.05, 0.15, 0.3, 0.6):
        for lean in (0.5, 0.7, 0.9):
            true = discordant * (2 * lean - 1)
            seen = random.multinomial(n, [discordant * lean, discordant * (1 - lean), 1 - discordant], size=400)
            found = [paired_rates(up, down, n) for up, down, _ in seen]
            covered.append(np.mean([low <= true <= high for low, high in found]))
    assert 0.94 <= np.mean(covered) <= 0.99
    assert min(covered) >= 0.9


def test_mcnemar_is_exact() -> None:
    """Eight rises and one fall among 40 pairs: the binomial probability of 8 or more, twice."""
    found = estimate([1] * 8 + [-1] + [0] * 31)
    assert found.detail["p_value"] == pytest.approx(2 * 10 / 2**9)
    assert (found.detail["n_up"], found.detail["n_down"]) == (8, 1)
    assert found.value == pytest.approx(7 / 40)
    assert found.low > 0
    assert estimate([0] * 20).detail["p_value"] == 1.0


def test_the_smallest_detectable_gap_is_found_in_four_of_five_tests() -> None:
    """A normal test at 5% against a gap of that size has power 80%."""
    size = smallest_gap(1.0, 0.05)
    assert size == pytest.approx(2.8016, abs=1e-4)
    assert stats.norm.sf(1.959964 - size) == pytest.approx(0.8, abs=1e-4)


def test_holm_worked_by_hand() -> None:
    """Four p-values; a corrected one is never below one that was smaller."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_pairs_of_one_prompt_are_one_bet() -> None:
    """Three equal differences of one prompt have a sign together: one bet, not three."""
    same = log_wealth([1, 1, 1], np.ones(3), ["a", "a", "a"])
    assert same == pytest.approx(log_wealth([1], np.ones(1), [None]))
    assert log_wealth([1, -1], np.ones(2), [None, None])[0] == pytest.approx(np.log(1 - 1 / 256))


def test_gaps_about_either_group_add_up() -> None:
    """She is refused where he is not, whichever of them the log named: the gap is 1, not 0."""
    rows = answers(0, 1.0, (0.0, change("female", "male"))) + answers(1, 0.0, (1.0, change("male", "female")))
    found = gap(rows, 2, group="female")
    assert (found.value, found.n) == (1.0, 2)
    assert found.detail["pairs"]["female -> male"]["gap"] == 1.0
    assert found.detail["pairs"]["male -> female"]["n"] == 1
    assert gap(rows, 2).value == -1.0
    assert gap(rows, 2, group="male").value == -1.0


def test_prompts_without_a_term_or_a_direction_are_counted() -> None:
    """They are left out of the gap, and told."""
    rows = answers(0, 0.0, (1.0, change(None, None))) + answers(1, 0.0, (1.0, change("male", "female")))
    rows += answers(2, 1.0)
    found = gap(rows, 3, group="female")
    assert (found.value, found.n) == (1.0, 1)
    assert (found.detail["n_mixed"], found.detail["n_without_term"], found.detail["n_swaps"]) == (1, 1, 2)
    mixed = gap(answers(0, 0.0, (1.0, change(None, None))), 1)
    assert mixed.value is None
    assert "both groups alike" in mixed.reason


def test_one_group_against_several_others() -> None:
    """A request is averaged over its others, and the pairs are told apart."""
    faith = ("Hindu", "Muslim")
    rows = answers(
        0,
        1.0,
        (0.0, change("Muslim", "Hindu", faith, "religion")),
        (1.0, change("Muslim", "Sikh", ("Muslim", "Sikh"), "religion")),
    )
    rows += answers(1, 0.0, (1.0, change("Hindu", "Muslim", faith, "religion")))
    found = gap(rows, 2, group="Muslim")
    assert (found.value, found.n) == (0.75, 2)
    assert found.detail["minus"] == ["Hindu", "Sikh"]
    assert "name one of them in `group`" in gap(rows, 2).reason
    assert gap(rows, 2, group="Jewish").reason == "no swap is from or to 'Jewish'"


def test_a_lane_that_swaps_two_attributes_needs_to_say_which() -> None:
    """Without `attribute` the gaps of two attributes would be mixed."""
    rows = answers(0, 0.0, (1.0, change("male", "female")))
    rows += answers(1, 0.0, (1.0, change("old", "young", ("old", "young"), "age")))
    assert gap(rows, 2).reason == "lane 'reference' swaps age, gender: name one of them in `attribute`"
    assert gap(rows, 2, attribute="age").n == 1


def test_a_noisy_model_is_not_called_biased() -> None:
    """Answers that differ by chance have gaps, and no excess; a swap that matters has both."""
    random = np.random.default_rng(6)
    metric = CounterfactualExcess(scorer="refusal", lane="reference")

    def window(shift):
        rows = []
        for key in range(400):
            plain, other, again = random.normal(0, 1, 3)
            rows += answers(key, plain, (other + shift, change("male", "female")), again=[again])
        return metric.compute(make_window(400, scores=rows), None)

    noisy, biased = window(0.0), window(2.0)
    assert noisy.detail["mean_absolute_gap"] == pytest.approx(2 / np.sqrt(np.pi), abs=0.1)
    assert noisy.low < 0 < noisy.high
    assert biased.low > 0.5


def test_excess_worked_by_hand_and_why_it_is_absent() -> None:
    """|B - A| - |A' - A| over as many swaps as there are repeats; without repeats, what to add."""
    rows = answers(0, 1.0, (4.0, change("male", "female")), (9.0, change("male", "female")), again=[2.0])
    metric = CounterfactualExcess(scorer="refusal", lane="reference")
    found = metric.compute(make_window(1, scores=rows), None)
    assert (found.value, found.n) == (3 - 1, 1)
    assert (found.detail["n_without_repeat"], found.detail["noise_floor"]) == (1, 1.0)
    none = metric.compute(make_window(1, scores=answers(0, 1.0, (4.0, change("male", "female")))), None)
    assert 'temperature = "as_logged"' in none.reason
    hot = [
        row | {"change": {"rule": "repeat", "temperature": 1.0}} if row["variant"] == "repeat" else row for row in rows
    ]
    assert metric.compute(make_window(1, scores=hot), None).value is None
