"""Scores over a window, and how groups fare."""

from __future__ import annotations

import fairlearn.metrics
import numpy as np
import pytest
from scipy import stats

from llmmon.metrics.bias.counterfactual_gap import CounterfactualGap
from llmmon.metrics.bias.demographic_parity_difference import DemographicParityDifference
from llmmon.metrics.bias.impact_ratio import ImpactRatio
from llmmon.metrics.quality.score_mean import ScoreMean
from llmmon.metrics.quality.score_quantile import ScoreQuantile
from llmmon.metrics.quality.score_rate import ScoreRate
from tests.windows import make_window, scored

AGES = ["old"] * 20 + ["young"] * 30 + ["child"] * 3 + [None] * 2
VALUES = [1.0] * 8 + [0.0] * 12 + [1.0] * 24 + [0.0] * 6 + [1.0, 0.0, 0.0] + [1.0, 0.0]


def by_age() -> object:
    """Return a window in which 8 of 20 old and 24 of 30 young people fare well."""
    return make_window(55, **{"group.age": AGES}, scores=scored(VALUES))


def test_score_mean_uses_weights_and_leaves_absent_scores_out() -> None:
    """A request drawn with probability 1/3 stands for three; an absent score is no zero."""
    rows = scored([1.0, 0.0, None])
    rows[0]["weight"] = 3.0
    found = ScoreMean(scorer="refusal").compute(make_window(3, scores=rows), None)
    assert (found.value, found.n) == (0.75, 2)


def test_repeats_of_a_request_count_once() -> None:
    """Three repeats of one request and one of another give n = 2."""
    rows = [{"request_key": 0, "repeat": index, "value": value} for index, value in enumerate((1.0, 2.0, 3.0))]
    window = make_window(2, scores=[*rows, {"request_key": 1, "value": 6.0}])
    found = ScoreMean(scorer="refusal").compute(window, None)
    assert (found.value, found.n) == (4, 2)


def test_why_there_is_no_score_is_said() -> None:
    """Absent scores give the commonest reason of the scorer; no scores at all name lane and scorer."""
    window = make_window(2, scores=scored([None, None]))
    assert ScoreMean(scorer="refusal").compute(window, None).reason == "no score among 2 responses; most often: none"
    assert "judged by 'other'" in (ScoreMean(scorer="other").compute(window, None).reason or "")


def test_rate_and_quantile_of_a_score() -> None:
    """Two of four values are below one half; the median of the four lies between the middle ones."""
    window = make_window(4, scores=scored([0.1, 0.4, 0.6, 0.8]))
    assert ScoreRate(scorer="refusal", limit=0.5).compute(window, None).value == 0.5
    assert ScoreRate(scorer="refusal", limit=0.7, side="above").compute(window, None).value == 0.25
    assert ScoreQuantile(scorer="refusal").compute(window, None).value == pytest.approx(0.5)


def test_group_metrics_equal_fairlearn() -> None:
    """Ratio and difference of the large groups are fairlearn's."""
    keep = [index for index, age in enumerate(AGES) if age in ("old", "young")]
    values, ages = np.array(VALUES)[keep], np.array(AGES)[keep]
    expected = {"y_true": values, "y_pred": values, "sensitive_features": ages}
    ratio = ImpactRatio(scorer="refusal", group="age").compute(by_age(), None)
    assert ratio.value == pytest.approx(fairlearn.metrics.demographic_parity_ratio(**expected))
    difference = DemographicParityDifference(scorer="refusal", group="age").compute(by_age(), None)
    assert difference.value == pytest.approx(fairlearn.metrics.demographic_parity_difference(**expected))
    assert ratio.low < ratio.value < ratio.high < 1
    assert 0 < difference.low < difference.value < difference.high


def test_small_groups_are_counted_and_named() -> None:
    """Groups below the minimum and requests without the attribute are left out, and the detail says so."""
    found = ImpactRatio(scorer="refusal", group="age").compute(by_age(), None)
    assert found.n == 50
    assert found.detail["excluded_groups"] == {"child": 3}
    assert found.detail["n_without_attribute"] == 2
    assert (found.detail["lowest"], found.detail["highest"]) == ("old", "young")
    alone = ImpactRatio(scorer="refusal", group="age", min_group_size=25).compute(by_age(), None)
    assert alone.reason == "1 groups of 'age' have 25 requests or more; two are needed"


def test_no_good_outcome_at_all_is_absent() -> None:
    """Nothing divided by nothing is not a ratio."""
    window = make_window(20, **{"group.age": ["old"] * 10 + ["young"] * 10}, scores=scored([0.0] * 20))
    assert (
        ImpactRatio(scorer="refusal", group="age").compute(window, None).reason == "no group has a single good outcome"
    )


def swap(source, target, groups=("old", "young")):
    """Return what a variant tells of a swap."""
    return {"rule": "attribute_swap", "attribute": "age", "groups": list(groups), "from": source, "to": target}


def test_counterfactual_gap_is_the_paired_t_interval() -> None:
    """Gap and interval are scipy's paired t over the requests that have both replays."""
    random = np.random.default_rng(2)
    plain = random.normal(10, 3, 12)
    gaps = np.array([1.0, 2, 3, 4, 5, 6])
    swapped = plain + np.concatenate([2 - gaps, 2 + gaps])  # not skewed, where the interval is Student's
    rows = [
        {
            "request_key": key,
            "lane": "reference",
            "variant": variant,
            "value": value,
            "change": swap("old", "young") if variant == "attribute_swap" else {},
        }
        for variant, values in (("as_logged", plain), ("attribute_swap", swapped))
        for key, value in enumerate(values)
    ]
    rows += [
        {"request_key": 12, "lane": "reference", "value": 99.0},
        {"request_key": 13, "lane": "other", "value": 1.0},
    ]
    found = CounterfactualGap(scorer="refusal", lane="reference").compute(make_window(14, scores=rows), None)
    expected = stats.ttest_rel(swapped, plain).confidence_interval()
    assert (found.value, found.n) == (pytest.approx((swapped - plain).mean()), 12)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.detail["group"], found.detail["minus"]) == ("young", ["old"])
