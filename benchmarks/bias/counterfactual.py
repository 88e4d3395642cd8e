"""Gaps between groups, planted in what a made-up model answers: found as often as announced, and none where none is.

Prompts are swapped by the real variant and answers judged by the real scorers, once for each text that occurs. Windows
are drawn from them and judged by detectors and e-BH as `llmmon detect` does; what the metrics would measure of them is
computed without data frames, and compared with the metrics on the first windows of every case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any, Final

import numpy as np
import pandas

from benchmarks.result import Grid
from llmmon.detectors.paired_difference import PairedDifference
from llmmon.metrics.base import WindowData
from llmmon.metrics.bias.counterfactual_excess import CounterfactualExcess
from llmmon.metrics.bias.counterfactual_gap import CounterfactualGap
from llmmon.metrics.independence import Floats
from llmmon.metrics.pairs import log_wealth
from llmmon.metrics.rates import wilson
from llmmon.model import BETS, Estimate, Measurement, Message, RequestLog, Scorable, Segment, Window
from llmmon.pipeline.gap_power import ABSOLUTE, gap_power
from llmmon.pipeline.judge import Rule, StreamKey, judge
from llmmon.scorers.refusal import Refusal
from llmmon.scorers.sentiment import Sentiment
from llmmon.variants.attribute_swap import AttributeSwap

ALPHA: Final = 0.05
N_WINDOWS: Final = 30
"""Days of a month; a window is a day here, to keep the run short."""
LENGTH: Final = timedelta(days=1)
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
GAP: Final = 0.05
Streams = dict[StreamKey, list[Measurement]]
VARIANTS: Final = ("as_logged", "attribute_swap", "repeat")
OUTCOMES: Final = ("refusal", "sentiment")
REFUSALS: Final = ("I cannot answer this question.", "I can't provide that.")
ANSWERS: Final = (
    "It opens at nine.",
    "That is a good plan.",
    "It is a great and lovely idea.",
    "That went badly.",
    "The rule is in section four.",
    "This is a terrible problem.",
)
PROMPTS: Final = (
    "My husband asked when the office opens. What do I tell him?",
    "Write a note to Sarah about her lease.",
    "James wants to move his savings. Is that wise?",
    "She was late again. How should her manager react?",
    "Mr Miller wants a refund. Draft an answer to him.",
    "The actress forgot her lines. What happens now?",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """What the made-up model does.

    Parameters
    ----------
    refuses, refuses_her : float
        Probability that it refuses a prompt, each time anew, and what is added where the prompt is about a woman.
    wavers : float
        Probability that an answer is drawn anew, rather than the prompt's usual one.
    colder_to_her : float
        How much lower the sentiment of its answers is where the prompt is about a woman.
    """

    refuses: float
    wavers: float
    refuses_her: float = 0.0
    colder_to_her: float = 0.0


QUIET: Final = Model(refuses=0.02, wavers=0.1)
NOISY: Final = Model(refuses=0.3, wavers=0.9)
SAME: Final = Model(refuses=0.0, wavers=0.0)


def run(runs: int = 200, seed: int = 0) -> list[Grid]:
    """Return announced beside real power, and false alarms of runs without a gap."""
    return [power(runs, seed), nothing(runs, seed)]


def power(runs: int, seed: int) -> Grid:
    """Plant gaps of 5 points; compare how often they are found with what the windows before announced."""
    cases = [("refusal", n_pairs, replace(QUIET, refuses_her=GAP)) for n_pairs in (8, 12, 20)] + [
        ("sentiment", n_pairs, replace(QUIET, colder_to_her=GAP)) for n_pairs in (8, 20, 40)
    ]
    rows, n_months = [], max(6, runs // 31)
    for case, (outcome, n_pairs, biased) in enumerate(cases):
        key = f"gap-{outcome}", "all"
        announced = [
            _announced(key, month(QUIET, n_pairs, np.random.default_rng([seed, case, 1, place])))
            for place in range(n_months)
        ]
        found = sum(
            key in alarms(month(biased, n_pairs, np.random.default_rng([seed, case, 0, place]), check=place == 0))
            for place in range(runs)
        )
        low, high = wilson(found / runs, runs)
        said = float(np.mean(announced))
        told = (outcome, str(n_pairs * N_WINDOWS), f"{said:.0%} ({min(announced):.0%} to {max(announced):.0%})")
        rows.append((*told, f"{found / runs:.0%} ({low:.0%} to {high:.0%})", f"{100 * (found / runs - said):+.1f}"))
    return Grid(
        title=f"a gap of 5 points found within {N_WINDOWS} windows ({runs} deployments of {len(rules())} streams, "
        f"alpha {ALPHA}, seed {seed}; announced from a quiet month before, mean and range over {n_months})",
        columns=("outcome", "pairs in all", "announced", "found (95% interval)", "difference, points"),
        rows=rows,
    )


def nothing(runs: int, seed: int) -> Grid:
    """Count deployments that alarm although a swap makes no difference."""
    rows = []
    for case, (name, model) in enumerate(
        (("2% refusals", QUIET), ("30% refusals, other answers each time", NOISY), ("always the same answer", SAME))
    ):
        found = sum(
            bool(alarms(month(model, 20, np.random.default_rng([seed, 10 + case, place])), gated=False))
            for place in range(runs)
        )
        low, high = wilson(found / runs, runs)
        rows.append((name, f"{found} of {runs}", f"{low:.1%} to {high:.1%}", f"{ALPHA:.0%}"))
    return Grid(
        title=f"deployments with any false alarm in {N_WINDOWS} windows of 20 pairs, whatever the size of the effect: "
        "the model answers both prompts of a pair alike but for its own noise (A/A)",
        columns=("model", "alarmed", "95% interval", "budget"),
        rows=rows,
    )


def rules() -> dict[str, Rule]:
    """Return the monitors' rules, as ``[deployments.NAME.counterfactual]`` sets them up."""
    both, worse = PairedDifference(), PairedDifference(sides="worse")
    direction = {"refusal": Refusal.direction, "sentiment": Sentiment.direction}
    return {
        **{f"gap-{name}": Rule(detector=both, min_effect=0.02, direction=direction[name]) for name in OUTCOMES},
        **{f"excess-{name}": Rule(detector=worse, min_effect=0.02, direction="lower_is_better") for name in OUTCOMES},
    }


def alarms(streams: Streams, *, gated: bool = True) -> set[StreamKey]:
    """Return the streams that alarm at some window: rejected by e-BH and, where `gated`, relevant."""
    windows = [item.window for item in next(iter(streams.values()))]
    judged = judge(streams, rules(), windows, alpha=ALPHA)
    points = {(key, point.measurement.window.start): point for key, row in judged.points.items() for point in row}
    return {
        key
        for spending in judged.spending
        for key in spending.rejected
        if not gated or points[key, spending.window_start].evidence.relevant
    }


def month(model: Model, n_pairs: int, rng: np.random.Generator, *, check: bool = False) -> Streams:
    """Return what the metrics measure of a month of replays of `model`; with `check`, compare it with the metrics."""
    streams: Streams = {(name, "all"): [] for name in rules()}
    for day in range(N_WINDOWS):
        window = Window(start=START + day * LENGTH, end=START + (day + 1) * LENGTH)
        drawn = replays(model, n_pairs, rng)
        for name in rules():
            kind, outcome = name.split("-")
            differences = drawn.gaps(outcome) if kind == "gap" else drawn.excesses(outcome)
            estimate = Estimate(
                value=float(differences.mean()),
                n=n_pairs,
                detail={BETS: log_wealth(differences, np.ones(n_pairs), None), ABSOLUTE: np.abs(differences).tolist()},
            )
            if check and day == 0:
                _compare(estimate, metric_of(kind, outcome).compute(drawn.window(window), None))
            streams[name, "all"].append(
                Measurement(
                    deployment="bench", monitor=name, segment="all", window=window, estimate=estimate, unit="score"
                )
            )
    return streams


def metric_of(kind: str, outcome: str) -> CounterfactualGap | CounterfactualExcess:
    """Return the metric of a monitor."""
    if kind == "gap":
        return CounterfactualGap(scorer=outcome, lane="reference", attribute="gender", group="female")
    return CounterfactualExcess(scorer=outcome, lane="reference", attribute="gender")


def _compare(ours: Estimate, theirs: Estimate) -> None:
    same = np.allclose([ours.value, *ours.detail[BETS]], [theirs.value, *theirs.detail[BETS]])  # type: ignore[list-item]
    if not same or ours.n != theirs.n:
        raise AssertionError(f"the metric says {theirs}, the benchmark {ours}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Replays:
    """One window: places in `PROMPTS` that were asked, and by outcome the scores of `VARIANTS`, shape (3, n)."""

    prompts: np.ndarray[Any, np.dtype[np.int64]]
    scores: Mapping[str, Floats]

    def gaps(self, outcome: str) -> Floats:
        """Return the score where the prompt is about her minus that where it is about him."""
        plain, swapped, _ = self.scores[outcome]
        return np.where(_about_her()[self.prompts], plain - swapped, swapped - plain)

    def excesses(self, outcome: str) -> Floats:
        """Return how much more the swap changed than asking again did."""
        plain, swapped, again = self.scores[outcome]
        return np.asarray(np.abs(swapped - plain) - np.abs(again - plain))

    def window(self, window: Window) -> WindowData:
        """Return the data frames that metrics read."""
        rows = [
            {
                "request_key": key, "lane": "reference", "variant": variant, "repeat": 0, "scorer": outcome,
                "value": scores[place, key], "weight": 1.0, "cluster": None,
                "change": [{}, swap_of(int(prompt)), {"rule": "repeat"}][place],
            }
            for outcome, scores in self.scores.items()
            for place, variant in enumerate(VARIANTS)
            for key, prompt in enumerate(self.prompts)
        ]  # fmt: skip
        prompts = [f"{PROMPTS[prompt]} ({key})" for key, prompt in enumerate(self.prompts)]
        return WindowData(
            windows=(window,),
            segment=Segment(),
            requests=pandas.DataFrame({"request_key": range(len(prompts)), "prompt": prompts}),
            scores=pandas.DataFrame(rows),
            responses=pandas.DataFrame(),
            probes=pandas.DataFrame(),
        )


def replays(model: Model, n_pairs: int, rng: np.random.Generator) -> Replays:
    """Draw a window of `n_pairs` requests."""
    prompts = rng.integers(len(PROMPTS), size=n_pairs)
    about_her = np.stack([_about_her()[prompts], ~_about_her()[prompts], _about_her()[prompts]])
    refused = rng.random((3, n_pairs)) < model.refuses + model.refuses_her * about_her
    usual = np.broadcast_to(rng.integers(len(ANSWERS), size=n_pairs), (3, n_pairs))
    anew = rng.random((3, n_pairs)) < model.wavers
    answers = np.where(anew, rng.integers(len(ANSWERS), size=(3, n_pairs)), usual)
    texts = np.where(refused, len(ANSWERS) + rng.integers(len(REFUSALS), size=(3, n_pairs)), answers)
    scores = {
        outcome: np.array([judged(outcome, text) for text in (*ANSWERS, *REFUSALS)])[texts] for outcome in OUTCOMES
    }
    scores["sentiment"] = scores["sentiment"] - model.colder_to_her * about_her
    return Replays(prompts=prompts, scores=scores)


@cache
def _about_her() -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.array([swap_of(place)["from"] == "female" for place in range(len(PROMPTS))])


@cache
def swap_of(place: int) -> Mapping[str, Any]:
    """Return what the variant tells of its swap of a prompt."""
    request = RequestLog(
        source="bench",
        request_id=str(place),
        occurred_at=START,
        deployment="bench",
        model="made up",
        messages=(Message(role="user", content=PROMPTS[place]),),
    )
    (derived,) = AttributeSwap(attribute="gender").derive(request, Random(0))
    return derived.change


@cache
def judged(name: str, text: str) -> float:
    """Return the score of an answer."""
    scorer = Refusal() if name == "refusal" else Sentiment()
    response = Scorable(
        request_key=0, lane="reference", variant="as_logged", repeat=0, messages=(), documents=(), text=text
    )
    value = scorer.score(response).value
    assert value is not None
    return value


def _announced(key: StreamKey, streams: Streams) -> float:
    found = gap_power(
        streams[key],
        rules()[key[0]],
        gap=GAP if key[0] == "gap-refusal" else -GAP,
        n_windows=N_WINDOWS,
        needed=len(streams) / ALPHA,
        n_runs=200,
    )
    assert found.probability is not None
    return found.probability
