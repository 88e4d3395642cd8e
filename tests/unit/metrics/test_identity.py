"""The sentinel's metrics against hand-worked values, the definition of the MMD, and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from llmmon.metrics.identity.probe_logprob_gap import ProbeLogprobGap
from llmmon.metrics.identity.probe_mmd import ProbeMmd
from tests.windows import make_window


def window(answers, lane="endpoint", failed=()):
    """Return a window with the answers to each prompt; `failed` are prompts with one more probe that timed out."""
    probes = [
        {"prompt": prompt, "lane": lane, "repeat": repeat, "text": text}
        for prompt, texts in answers.items()
        for repeat, text in enumerate(texts)
    ]
    probes += [{"prompt": prompt, "lane": lane, "repeat": 99, "text": None, "reason": "timeout"} for prompt in failed]
    return make_window(probes=probes)


def told(logprobs, lane="endpoint"):
    """Return a window with the first-token log-probabilities of each prompt, one dict an answer."""
    probes = [
        {"prompt": prompt, "lane": lane, "repeat": repeat, "first_logprobs": answer}
        for prompt, answers in logprobs.items()
        for repeat, answer in enumerate(answers)
    ]
    return make_window(probes=probes)


def mmd(current, reference, **parameters):
    metric = ProbeMmd(**{"by": "characters", "places": 2, "min_prompts": 2, **parameters})
    return metric.compute(current, metric.summarise(reference))


def test_mmd_is_the_hand_worked_one():
    """Prompt a: 1 + 1/3 - 2/2 at both places; prompt b: 0 + 1/3 - 2/2; the mean is -1/6."""
    reference = window({"a": ["ab", "cd", "ab", "cd"], "b": ["xy", "zw", "xy", "zw"]})
    found = mmd(window({"a": ["ab", "ab"], "b": ["xy", "zw"]}), reference)
    assert found.value == pytest.approx(-1 / 6)
    assert found.n == 4
    assert (found.detail["n_prompts"], found.detail["n_reference"], found.detail["n_failed"]) == (2, 8, 0)
    assert found.detail["furthest"] == {"a": pytest.approx(1 / 3, abs=1e-6), "b": pytest.approx(-2 / 3, abs=1e-6)}


def test_an_answer_past_its_end_agrees_with_others_that_ended():
    """ "a" and "a" agree at both places, "a" and "ab" at one of two: 1 + 1 - 2 x 1/2."""
    found = mmd(window({"p": ["a", "a"], "q": ["a", "a"]}), window({"p": ["ab", "ab"], "q": ["ab", "ab"]}))
    assert found.value == pytest.approx(1.0)
    assert (found.low, found.high) == (None, None)
    assert "all 2 prompts are equal" in found.reason


@pytest.mark.parametrize("by", ["words", "characters"])
def test_mmd_from_counts_is_that_of_pairs(by):
    """Counting by place gives the U-statistic that the kernel gives pair by pair."""
    random = np.random.default_rng(3)
    join = " ".join if by == "words" else "".join

    def some(n):
        return {p: [join(random.choice(list("abc"), random.integers(0, 5))) for _ in range(n)] for p in "pqr"}

    def kernel(x, y):
        cut = [text.split() if by == "words" else list(text) for text in (x, y)]
        padded = [(answer + [None] * 4)[:4] for answer in cut]
        return sum(a == b for a, b in zip(*padded, strict=True)) / 4

    now, before = some(5), some(7)
    expected = np.mean(
        [
            np.mean([kernel(x, y) for x, y in itertools.permutations(now[p], 2)])
            + np.mean([kernel(x, y) for x, y in itertools.permutations(before[p], 2)])
            - 2 * np.mean([kernel(x, y) for x in now[p] for y in before[p]])
            for p in "pqr"
        ]
    )
    assert mmd(window(now), window(before), by=by, places=4).value == pytest.approx(expected)


def test_a_failed_probe_stays_in_n_and_is_no_answer():
    """A timeout moves no distance; it is counted and named."""
    reference = window({"a": ["ab", "cd"], "b": ["xy", "zw"]})
    whole = mmd(window({"a": ["ab", "ab"], "b": ["xy", "xy"]}), reference)
    found = mmd(window({"a": ["ab", "ab"], "b": ["xy", "xy"]}, failed=["a"]), reference)
    assert (found.value, found.n) == (whole.value, 5)
    assert (found.detail["n_failed"], found.detail["failed"]) == (1, {"timeout": 1})


def test_too_few_common_prompts_give_no_value():
    """Prompts that were asked otherwise before, or answered once only, do not count."""
    found = mmd(
        window({"a": ["ab", "ab"], "b": ["xy"]}), window({"a": ["ab", "cd"], "b": ["xy", "xy"], "c": ["x", "y"]})
    )
    assert found.value is None
    assert found.reason.startswith("1 prompts were answered both now and in the reference windows")
    assert found.n == 3


def test_lanes_are_chosen_and_a_segment_has_no_probes():
    """Answers of the endpoint are set against the reference's where that is asked for."""
    both = window({"a": ["ab", "ab"], "b": ["xy", "xy"]})
    other = window({"a": ["cd", "cd"], "b": ["zw", "zw"]}, lane="reference")
    assert mmd(both, other, against="reference").value == pytest.approx(2.0)
    assert "0 prompts" in mmd(both, other).reason
    assert mmd(make_window(), other).reason == "no probe was sent on lane 'endpoint' in this window"


def test_the_summary_keeps_no_answer():
    """Neither words nor tokens can be read from what is kept of the reference windows."""
    answers = window({"a": ["secret words"] * 3, "b": ["more secrets"] * 3})
    kept = str(ProbeMmd().summarise(answers)) + str(ProbeLogprobGap().summarise(told({"a": [{"secret": -1.0}]})))
    assert not [word for word in ("secret", "words", "more") if word in kept]


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_the_interval_of_the_mmd_covers(shift):
    """Over simulated windows of 16 prompts x 4 answers the interval holds the true distance: 93% less chance's 2%."""
    random = np.random.default_rng(8)
    letters = np.array(list("abcdef"))
    before = random.dirichlet(np.ones(6), 16)
    now = (1 - shift) * before + shift * random.dirichlet(np.ones(6), 16)
    true = float(((now - before) ** 2).sum(axis=1).mean())
    metric = ProbeMmd(by="characters", places=1)
    draw = lambda rates, n: {str(i): list(random.choice(letters, n, p=row)) for i, row in enumerate(rates)}  # noqa: E731
    runs, held, values = 300, 0, []
    summary = metric.summarise(window(draw(before, 3000)))
    for _ in range(runs):
        found = metric.compute(window(draw(now, 4)), summary)
        held += found.low <= true <= found.high
        values.append(found.value)
    assert held / runs >= 0.91
    assert np.mean(values) == pytest.approx(true, abs=4 * np.std(values) / np.sqrt(runs) + 0.002)


def gap(current, reference, **parameters):
    metric = ProbeLogprobGap(**{"min_prompts": 2, **parameters})
    return metric.compute(current, metric.summarise(reference))


def test_gap_is_the_hand_worked_one():
    """Prompt p: |-1 - -1.5| and |-2 - -2|, so 0.25; prompt q: means -1.2 and -1.0, so 0.2; together 0.225."""
    reference = told({"p": [{"a": -1.5, "b": -2.0}], "q": [{"a": -1.0}, {"a": -1.0}]})
    found = gap(told({"p": [{"a": -1.0, "b": -2.0}], "q": [{"a": -1.1}, {"a": -1.3}]}), reference)
    assert found.value == pytest.approx(0.225)
    assert found.n == 3
    assert found.low < 0.225 < found.high


def test_a_token_that_is_not_listed_lies_below_the_floor():
    """b may still have -2.5 under a floor of -2, so it is no gap; c cannot have had -1 under a floor of -3."""
    reference = told({name: [{"a": -1.0, "b": -2.5, "d": -3.0}] for name in "pq"})
    found = gap(told({name: [{"a": -1.0, "c": -1.0, "d": -2.0}] for name in "pq"}), reference)
    # a 0, b max(0, -2.5 - -2) = 0, c max(0, -1 - -3) = 2, d 1
    assert found.value == pytest.approx(3 / 4)


def test_equal_numbers_have_no_gap_and_no_interval():
    """The very same computation gives 0, and a reason for the missing interval."""
    same = told({name: [{"a": -1.0, "b": -2.0}] * 2 for name in "pqr"})
    found = gap(same, same)
    assert (found.value, found.low) == (0.0, None)
    assert "no spread" in found.reason


def test_an_endpoint_without_logprobs_is_told_apart_from_one_that_fails():
    """Answers without log-probabilities name the metric to use; failed probes are counted."""
    silent = window({"a": ["x", "y"], "b": ["x", "y"]})
    reference = told({"a": [{"a": -1.0}], "b": [{"a": -1.0}]})
    assert gap(silent, reference).reason == "lane 'endpoint' tells no log-probabilities; use probe_mmd"
    failed = gap(window({}, failed=["a", "b"]), reference)
    assert (failed.value, failed.n, failed.detail["failed"]) == (None, 2, {"timeout": 2})
