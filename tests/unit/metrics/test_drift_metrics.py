"""Wasserstein, MMD, topic mix and shares, and the summaries of the reference, against scipy and hand-worked values."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats

from llmmon.metrics.drift.category_share import CategoryShare
from llmmon.metrics.drift.jensen_shannon import JensenShannon
from llmmon.metrics.drift.ks_distance import KsDistance
from llmmon.metrics.drift.mmd import Mmd
from llmmon.metrics.drift.psi import Psi
from llmmon.metrics.drift.text_statistic import TextStatistic
from llmmon.metrics.drift.topic_mix import TopicMix
from llmmon.metrics.drift.wasserstein import Wasserstein
from tests.drifts import against, stored
from tests.windows import make_window

NUMERIC = [KsDistance(field="latency_ms"), Psi(field="latency_ms"), Wasserstein(field="latency_ms")]
TOPICS = {
    "primes": "is {} a prime number think step by step and then answer",
    "cooking": "give me a recipe for {} people with rice beans and tomatoes",
    "code": "write a python function that sorts a list of {} integers",
}


def prompts(counts: dict[str, int], seed: int) -> list[str]:
    """Return prompts of some topics."""
    random = np.random.default_rng(seed)
    return [TOPICS[topic].format(random.integers(1000)) for topic, n in counts.items() for _ in range(n)]


def test_ks_of_many_rows_is_off_by_less_than_a_thousandth() -> None:
    """Against 30,000 rows of the reference, kept as 1,024 quantiles, the distance is scipy's within 0.0005."""
    random = np.random.default_rng(1)
    values, others = random.lognormal(0.1, 1, 25_000), random.lognormal(0, 1, 30_000)
    reference = make_window(30_000, latency_ms=others)
    found = against(KsDistance(field="latency_ms"), make_window(25_000, latency_ms=values), reference)
    assert found.value == pytest.approx(stats.ks_2samp(values, others, method="asymp").statistic, abs=0.0005)
    kept = stored(KsDistance(field="latency_ms"), reference)
    assert kept is not None
    assert len(kept["values"]) == 1024


@pytest.mark.parametrize(("n", "m"), [(40, 90), (3000, 900)])
def test_wasserstein_equals_scipy(n: int, m: int) -> None:
    """The distance is scipy's, divided by the reference's interquartile range."""
    random = np.random.default_rng(3)
    values, others = random.gamma(2, 5, n), random.gamma(2.5, 5, m)
    found = against(
        Wasserstein(field="latency_ms"), make_window(n, latency_ms=values), make_window(m, latency_ms=others)
    )
    expected = stats.wasserstein_distance(values, others)
    assert found.detail["distance"] == pytest.approx(expected)
    assert found.value == pytest.approx(expected / stats.iqr(others))


def test_wasserstein_interval_covers_the_true_distance() -> None:
    """Two normals half a deviation apart are 0.5 apart; alike ones 0. The interval holds both most of the time."""
    random = np.random.default_rng(9)
    metric = Wasserstein(field="latency_ms")
    for shift in (0.0, 0.5):
        hits = 0
        for _ in range(80):
            values, others = random.normal(shift, 1, 60), random.normal(0, 1, 200)
            found = against(metric, make_window(60, latency_ms=values), make_window(200, latency_ms=others))
            scale = found.detail["reference_iqr"]
            hits += found.low * scale <= shift <= found.high * scale
        assert hits >= 73


def test_wasserstein_without_a_spread_says_so() -> None:
    """A reference whose middle half is one value has no scale; the distance in the field's unit is in the detail."""
    found = against(Wasserstein(field="latency_ms"), make_window(4, latency_ms=7.0), make_window(9, latency_ms=5.0))
    assert found.value is None
    assert "one value of latency_ms" in found.reason
    assert found.detail["distance"] == 2


@pytest.mark.parametrize("field", ["prompt", "numbers"])
def test_mmd_is_silent_when_alike_and_sees_a_change(field: str) -> None:
    """Over 30 pairs the interval holds 0 nearly always; another mix of topics, or of numbers, is far from 0."""
    metric = Mmd(fields=["prompt"] if field == "prompt" else ["latency_ms", "n_output_tokens"])
    random = np.random.default_rng(2)

    def window(n: int, share: float, first_key: int):
        code = int(random.binomial(n, share))
        tokens = random.lognormal(4, 1, n)
        return make_window(
            n,
            first_key=first_key,
            prompt=prompts({"primes": n - code, "code": code}, first_key),
            n_output_tokens=tokens,
            latency_ms=tokens * 20 * random.lognormal(share, 0.2, n),
        )

    silent, squares = 0, []
    for number in range(30):
        found = against(metric, window(60, 0.3, 1000 * number), window(200, 0.3, 1000 * number + 500))
        silent += found.low == 0
        squares.append(found.detail["squared"])
    assert silent >= 27
    assert abs(np.mean(squares)) < 3 * np.std(squares) / math.sqrt(30)
    changed = against(metric, window(60, 0.8, 1), window(200, 0.3, 500))
    assert changed.low > 0.05


def test_mmd_tells_the_mean_features_of_the_window() -> None:
    """The features are 64 bounded numbers and do not depend on the reference."""
    current = make_window(30, prompt=prompts({"primes": 30}, 1))
    first, second = (
        against(Mmd(fields=["prompt"]), current, make_window(40, first_key=100, prompt=prompts({topic: 40}, 2)))
        for topic in ("primes", "code")
    )
    assert first.detail["features"] == second.detail["features"]
    assert len(first.detail["features"]) == 64
    assert max(map(abs, first.detail["features"])) <= 1
    assert first.value < second.value


def test_topic_mix_follows_the_share_of_topics() -> None:
    """The divergence of three well-separated topics is that of their shares, worked by hand."""
    reference = make_window(300, first_key=1000, prompt=prompts({"primes": 150, "cooking": 90, "code": 60}, 1))
    same = against(
        TopicMix(topics=3), make_window(100, prompt=prompts({"primes": 50, "cooking": 30, "code": 20}, 2)), reference
    )
    assert same.value == pytest.approx(0, abs=1e-9)
    other = against(TopicMix(topics=3), make_window(100, prompt=prompts({"code": 100}, 3)), reference)
    p, q = np.array([0.0, 0.0, 1.0]), np.array([0.5, 0.3, 0.2])
    middle = (p + q) / 2
    expected = (math.log2(1 / middle[2]) + sum(q * np.log2(q / middle))) / 2
    assert other.value == pytest.approx(expected)
    assert other.detail["reference"] == [150, 90, 60]


def test_category_share_counts_one_category() -> None:
    """Three of eight finish reasons that are known; a category that never comes is 0, not absent."""
    window = make_window(10, finish_reason=["length"] * 3 + ["stop"] * 5 + [None] * 2)
    found = CategoryShare(field="finish_reason", category="length").compute(window, None)
    assert (found.value, found.n) == (3 / 8, 8)
    assert CategoryShare(field="finish_reason", category="tool_calls").compute(window, None).value == 0
    assert (
        CategoryShare(field="model_version", category="x").compute(window, None).reason
        == "no model_version in this window"
    )


def test_language_and_format_of_texts() -> None:
    """Each statistic of four answers, hand-counted."""
    window = make_window(
        4,
        response_text=["This is the answer to it", "Это ответ", '{"a": 1}', "# Head\n| a | b |\n|---|---|\n| 1 | 2 |"],
    )
    values = {
        name: TextStatistic(statistic=name).compute(window, None).value
        for name in ("english_share", "non_latin_share", "is_json", "has_heading", "has_table")
    }
    assert values == {
        "english_share": pytest.approx((5 / 6 + 0 + 1 / 2 + 1 / 5) / 4),
        "non_latin_share": 0.25,
        "is_json": 0.25,
        "has_heading": 0.25,
        "has_table": 0.25,
    }


@pytest.mark.parametrize("metric", [Psi(field="tenant"), JensenShannon(field="tenant")], ids=["psi", "jensen_shannon"])
def test_a_million_categories_do_not_make_a_large_summary(metric: Psi | JensenShannon) -> None:
    """Beyond the 256 most frequent ones categories count together; a frequent one still shows when it comes anew."""
    names = [f"tenant-{number}" for number in range(100_000)]
    reference = make_window(100_100, tenant=["big"] * 100 + names)
    kept = stored(metric, reference)
    assert kept is not None
    assert len(json.dumps(kept)) < 10_000
    assert kept["categories"][0] == "big"
    assert sum(kept["counts"]) == 100_100
    assert metric.compute(make_window(50, tenant="big"), kept).value > 0.5


@pytest.mark.parametrize("metric", NUMERIC, ids=lambda metric: metric.plugin_name)
def test_infinities_and_absent_numbers_are_left_out(metric: KsDistance | Psi | Wasserstein) -> None:
    """Rows without a finite number change nothing; a window of nothing else is absent, with the reason."""
    random = np.random.default_rng(5)
    values, others = random.gamma(2, 5, 50), random.gamma(3, 5, 80)
    strange = np.concatenate((values, [math.inf, -math.inf, math.nan]))
    reference = make_window(80, latency_ms=others)
    plain = against(metric, make_window(50, latency_ms=values), reference)
    assert against(metric, make_window(53, latency_ms=strange), reference) == plain
    absent = against(metric, make_window(3, latency_ms=strange[-3:]), reference)
    assert absent.reason == "no latency_ms in this window"
    nothing = against(metric, make_window(5, latency_ms=1.0), make_window(3, latency_ms=strange[-3:]))
    assert nothing.reason == "no latency_ms in the reference windows"
