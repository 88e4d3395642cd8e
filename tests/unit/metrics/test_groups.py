"""Rates of groups: hand-worked tables, fairlearn's figures, small and missing groups."""

from __future__ import annotations

import fairlearn.metrics
import numpy as np
import pytest

from llmmon.metrics.base import WindowData
from llmmon.metrics.bias.demographic_parity_difference import DemographicParityDifference
from llmmon.metrics.bias.demographic_parity_ratio import DemographicParityRatio
from llmmon.metrics.bias.equal_opportunity_difference import EqualOpportunityDifference
from llmmon.metrics.bias.equalized_odds_difference import EqualizedOddsDifference
from llmmon.metrics.bias.group_gap import GroupGap
from llmmon.metrics.bias.impact_ratio import ImpactRatio
from llmmon.model import Estimate
from tests.windows import make_window, scored

HIRED = {"white": (48, 80), "black": (12, 40), "asian": (18, 36)}
"""The first two are question 12 of the EEOC's "Questions and Answers" on 29 CFR 1607: a ratio of 50%."""


def table(cases: dict[str, tuple[int, int]], *, n_without: int = 0, **columns: object) -> WindowData:
    """Return a window in which so many of so many requests of each group have a score of 1."""
    groups: list[str | None] = [name for name, (_, n) in cases.items() for _ in range(n)]
    values = [float(place < good) for good, n in cases.values() for place in range(n)]
    groups += [None] * n_without
    scores = scored([*values, *[1.0] * n_without])
    return make_window(len(groups), scores=scores, **{"group.race": groups, **columns})


def test_impact_ratio_of_a_hand_worked_table() -> None:
    """Rates 0.6, 0.3 and 0.5: over the highest, over all (78 of 156) and over a named group."""
    highest = ImpactRatio(scorer="refusal", group="race").compute(table(HIRED), None)
    assert highest.value == pytest.approx(0.5, abs=1e-9)
    groups = highest.detail["groups"]
    assert [groups[name]["rate"] for name in HIRED] == pytest.approx([0.6, 0.3, 0.5], abs=1e-9)
    assert groups["black"]["ratio"] == pytest.approx(0.5, abs=1e-9)
    assert groups["asian"]["ratio"] == pytest.approx(5 / 6, abs=1e-9)
    assert "ratio" not in groups["white"]
    overall = ImpactRatio(scorer="refusal", group="race", reference="overall").compute(table(HIRED), None)
    ratios = [overall.detail["groups"][name]["ratio"] for name in HIRED]
    assert ratios == pytest.approx([1.2, 0.6, 1.0], abs=1e-9)
    assert overall.value == pytest.approx(0.6, abs=1e-9)
    named = ImpactRatio(scorer="refusal", group="race", reference="asian").compute(table(HIRED), None)
    assert [named.detail["groups"][name]["ratio"] for name in ("white", "black")] == pytest.approx([1.2, 0.6], abs=1e-9)
    bad = ImpactRatio(scorer="refusal", group="race", good=0).compute(table(HIRED), None)
    assert bad.value == pytest.approx(0.4 / 0.7, abs=1e-9)


def test_verdicts_of_a_hand_worked_table() -> None:
    """A quarter of the rate on 40 requests is beyond chance; two thirds of it on 40 is not; on 4 nothing could be."""
    cases = {"a": (120, 200), "b": (6, 40), "c": (16, 40), "d": (1, 4), "e": (110, 200)}
    found = ImpactRatio(scorer="refusal", group="race", min_group_size=2).compute(table(cases), None).detail
    assert {name: found["groups"][name].get("four_fifths") for name in cases} == {
        "a": None,
        "b": "below 0.8 beyond chance",
        "c": "below 0.8, within chance",
        "d": "too few",
        "e": "not below",
    }
    assert (found["four_fifths"], found["n_tests"]) == ("below 0.8 beyond chance", 20)
    named = ImpactRatio(scorer="refusal", group="race", reference="a", min_group_size=2)
    fewer = named.compute(table(cases), None).detail
    assert fewer["n_tests"] == 4  # a group named beforehand is not picked: fewer comparisons to allow for
    assert found["groups"]["b"]["chance"] == pytest.approx(5 * fewer["groups"]["b"]["chance"])


@pytest.mark.parametrize("seed", range(5))
def test_every_group_metric_equals_fairlearn(seed: int) -> None:
    """Difference, ratio, equal opportunity and equalised odds, with weights, to 1e-12."""
    random = np.random.default_rng(seed)
    n = 400
    groups, got, deserved = random.choice(["a", "b", "c"], n), random.integers(0, 2, n), random.integers(0, 2, n)
    weights = random.choice([1.0, 2.0, 7.5], n)
    scores = [
        {"request_key": key, "scorer": scorer, "value": float(values[key]), "weight": weights[key]}
        for key in range(n)
        for scorer, values in (("got", got), ("deserved", deserved))
    ]
    window = make_window(n, scores=scores, **{"group.team": groups})
    given = {"y_true": deserved, "y_pred": got, "sensitive_features": groups, "sample_weight": weights}
    measures = fairlearn.metrics
    for metric, peer in (
        (DemographicParityDifference(scorer="got", group="team"), measures.demographic_parity_difference),
        (DemographicParityRatio(scorer="got", group="team"), measures.demographic_parity_ratio),
        (ImpactRatio(scorer="got", group="team"), measures.demographic_parity_ratio),
        (
            EqualOpportunityDifference(scorer="got", group="team", truth="deserved"),
            measures.equal_opportunity_difference,
        ),
        (EqualizedOddsDifference(scorer="got", group="team", truth="deserved"), measures.equalized_odds_difference),
    ):
        assert metric.compute(window, None).value == pytest.approx(peer(**given), abs=1e-12)
    frame = measures.MetricFrame(
        metrics=measures.selection_rate,
        y_true=deserved,
        y_pred=got,
        sensitive_features=groups,
        sample_params={"sample_weight": weights},
    )
    found = ImpactRatio(scorer="got", group="team").compute(window, None).detail["groups"]
    assert {name: item["rate"] for name, item in found.items()} == pytest.approx(frame.by_group.to_dict(), abs=1e-12)


def test_a_scorer_of_correctness_gives_the_same_equalised_odds() -> None:
    """Right among the undeserving is 1 - false positive: the gap is the same."""
    random = np.random.default_rng(3)
    n = 300
    groups, got, deserved = random.choice(["a", "b"], n), random.integers(0, 2, n), random.integers(0, 2, n)
    kinds = {"got": got, "right": (got == deserved).astype(int)}
    scores = [
        {"request_key": key, "scorer": name, "value": float(values[key])}
        for key in range(n)
        for name, values in kinds.items()
    ]
    answers = ["Yes " if item else "no" for item in deserved]
    window = make_window(n, scores=scores, reference_answer=answers, **{"group.team": groups})
    found = [
        EqualizedOddsDifference(scorer=name, group="team", truth="reference_answer=yes").compute(window, None)
        for name in kinds
    ]
    assert found[0].value == pytest.approx(found[1].value, abs=1e-12)
    assert (found[0].low, found[0].high) == pytest.approx((found[1].low, found[1].high), abs=1e-12)
    assert found[0].detail["where"] == found[1].detail["where"]


def test_intersections_are_groups() -> None:
    """Old women fare badly although neither women nor the old do; "&" in a value cannot join two groups."""
    sex = ["f", "f", "m", "m"] * 20
    age = ["old", "young", "old", "young"] * 20
    values = [0.0 if (s, a) in {("f", "old"), ("m", "young")} else 1.0 for s, a in zip(sex, age, strict=True)]
    window = make_window(80, scores=scored(values), **{"group.sex": sex, "group.age": age})
    assert DemographicParityDifference(scorer="refusal", group="sex").compute(window, None).value == 0
    both = DemographicParityDifference(scorer="refusal", group=["sex", "age"]).compute(window, None)
    assert both.value == 1
    assert both.detail["groups"]["f & old"]["rate"] == 0
    assert both.detail["group"] == ["sex", "age"]
    hostile = make_window(
        40, scores=scored([1.0] * 40), **{"group.sex": ["a", "a & b"] * 20, "group.age": ["b & c", "c"] * 20}
    )
    apart = DemographicParityDifference(scorer="refusal", group=["sex", "age"]).compute(hostile, None)
    assert len(apart.detail["groups"]) == 2


def test_group_gap_has_a_sign_and_knows_everyone_else() -> None:
    """Black minus white is -0.3; black minus the 66 of 116 others."""
    gap = GroupGap(scorer="refusal", group="race", of="black", against="white").compute(table(HIRED), None)
    assert (gap.value, gap.n) == (pytest.approx(-0.3, abs=1e-9), 120)
    rest = GroupGap(scorer="refusal", group="race", of="black").compute(table(HIRED), None)
    assert rest.value == pytest.approx(0.3 - 66 / 116, abs=1e-9)
    absent = GroupGap(scorer="refusal", group="race", of="martian").compute(table(HIRED), None)
    assert absent.reason == "group 'martian' has fewer than 10 requests"


def test_small_groups_may_be_pooled() -> None:
    """Groups of 1 to 9 are left out by name, or compared together; one alone has nobody to be pooled with."""
    cases = {**HIRED, "x": (1, 1), "y": (0, 7), "z": (3, 9)}
    left_out = ImpactRatio(scorer="refusal", group="race").compute(table(cases), None)
    assert left_out.detail["excluded_groups"] == {"z": 9, "y": 7, "x": 1}
    assert (left_out.detail["n_excluded"], left_out.n) == (17, 156)
    pooled = ImpactRatio(scorer="refusal", group="race", pool_small=True).compute(table(cases), None)
    assert pooled.detail["groups"]["other (3 groups)"]["rate"] == pytest.approx(4 / 17, abs=1e-9)
    assert (pooled.detail["n_excluded"], pooled.n) == (0, 173)
    one = ImpactRatio(scorer="refusal", group="race", pool_small=True).compute(table({**HIRED, "z": (3, 9)}), None)
    assert one.detail["excluded_groups"] == {"z": 9}


def test_an_attribute_that_most_requests_lack_gives_a_reason() -> None:
    """More than max_missing without it: no value, and the share is told; as much as asked for is accepted."""
    window = table(HIRED, n_without=300)
    found = ImpactRatio(scorer="refusal", group="race").compute(window, None)
    assert found.value is None
    assert "missing for 300 of 456 requests" in (found.reason or "")
    accepted = ImpactRatio(scorer="refusal", group="race", max_missing=0.7).compute(window, None)
    assert accepted.value == pytest.approx(0.5)
    assert accepted.detail["n_without_attribute"] == 300


def absent(metric: object, window: WindowData) -> str:
    """Return why there is no value."""
    found: Estimate = metric.compute(window, None)  # type: ignore[attr-defined]
    assert found.value is None
    return found.reason or ""


def test_what_cannot_be_compared_gives_a_reason() -> None:
    """No second group, no good outcome, a reference group that is not there, values that are no rate, no truth."""
    ratio = ImpactRatio(scorer="refusal", group="race")
    assert "two are needed" in absent(ratio, table({"white": (5, 20), "black": (1, 1)}))
    assert absent(ratio, table({"a": (0, 20), "b": (0, 20)})) == "no group has a single good outcome"
    named = ImpactRatio(scorer="refusal", group="race", reference="b")
    assert absent(named, table(HIRED)) == "the reference group 'b' has fewer than 10 requests"
    assert "no good outcome to divide by" in absent(named, table({"a": (3, 20), "b": (0, 20)}))
    words = make_window(20, scores=scored([12.0] * 20), **{"group.race": ["a", "b"] * 10})
    assert "not a rate" in absent(ratio, words)
    untold = EqualOpportunityDifference(scorer="refusal", group="race", truth="review")
    assert absent(untold, table(HIRED)).startswith("truth: no response on lane 'logged'")
    unknown = EqualOpportunityDifference(scorer="refusal", group="race", truth="reference_answer=yes")
    assert "the truth is not known of any of 156 requests" in absent(unknown, table(HIRED))


def test_a_ratio_without_an_upper_bound_says_so() -> None:
    """The reference group may have a rate of 0: the value stands, the bound is absent with its reason."""
    metric = ImpactRatio(scorer="refusal", group="race", reference="b", min_group_size=2)
    found = metric.compute(table({"a": (5, 10), "b": (1, 2)}), None)
    assert found.value == pytest.approx(1.0)
    assert found.low is not None
    assert found.high is not None or "no upper bound" in (found.reason or "")


def test_names_from_logs_are_bounded() -> None:
    """A thousand groups of ten: the thirty largest are compared, the others counted."""
    cases = {f"group {index:04}": (5, 10) for index in range(200)}
    found = ImpactRatio(scorer="refusal", group="race").compute(table(cases), None)
    assert len(found.detail["groups"]) == 30
    assert (found.detail["n_excluded_groups"], found.detail["n_excluded"]) == (170, 1700)
    long = table({"a" * 5000: (5, 10), "b": (5, 10)})
    assert max(map(len, ImpactRatio(scorer="refusal", group="race").compute(long, None).detail["groups"])) <= 80


def test_a_group_of_one_user_has_one_member() -> None:
    """Fifty requests of one person are no group; where a service account asks for all, requests count."""
    users = [f"u{index}" for index in range(80)] + ["v"] * 40 + [f"w{index}" for index in range(36)]
    found = ImpactRatio(scorer="refusal", group="race").compute(table(HIRED, cluster=users), None)
    assert found.detail["groups_of_one_user"] == 1
    assert found.detail["excluded_groups"] == {"black": 40}
    assert found.value == pytest.approx(5 / 6)
    account = ImpactRatio(scorer="refusal", group="race").compute(table(HIRED, cluster=["service"] * 156), None)
    assert account.value == pytest.approx(0.5)


def test_rows_of_one_user_count_for_less() -> None:
    """The same rates from ten users are less sure than from a hundred requests of their own."""
    random = np.random.default_rng(4)
    groups = ["a", "b"] * 100
    users = [f"{group}{index // 20}" for index, group in enumerate(groups)]
    usual = {user: random.random() for user in users}
    window = make_window(
        200,
        scores=scored([float(random.random() < usual[user]) for user in users]),
        cluster=users,
        **{"group.race": groups},
    )
    alone = make_window(200, scores=scored(list(window.scores["value"])), **{"group.race": groups})
    metric = GroupGap(scorer="refusal", group="race", of="a")
    of_users, of_requests = metric.compute(window, None), metric.compute(alone, None)
    assert of_users.value == of_requests.value
    assert of_users.high - of_users.low > 1.3 * (of_requests.high - of_requests.low)
