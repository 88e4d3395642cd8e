"""Changes of an endpoint that the sentinel tells from noise: probe metrics beside exact-match rate and mean length."""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from benchmarks.result import Result, Row
from benchmarks.served_models import CHANGES, Pool, answer_pool, changed_model
from llmmon.config import SentinelConfig
from llmmon.detectors.base import fold
from llmmon.detectors.reference_change import ReferenceChange
from llmmon.metrics.base import WindowData
from llmmon.metrics.identity.probe_logprob_gap import ProbeLogprobGap
from llmmon.metrics.identity.probe_mmd import ProbeMmd
from llmmon.model import Estimate, Evidence, Measurement, Window
from tests.windows import START, make_window

SUMMARY = "changed endpoints told from noise by probes: MMD of answers, first-token log-probabilities, simple rules"
ALPHA = 0.05
REFERENCE, BEFORE = 24, 24
"""Windows that are learnt from, and that are watched before the change."""
USD_PER_MILLION = {"input": 0.15, "output": 0.60}
_MIN_EFFECTS = {"probe_mmd": 0.01, "probe_logprob_gap": 0.005, "mean length, same detector": 0.0}
_THREE_SIGMA = ("mean length, 3 sigma", "exact match at temperature 0")

_GREEDY = _THREE_SIGMA[1:]

Streams = dict[str, list[Estimate]]
Drawn = tuple[WindowData, Mapping[str, str]]
"""One window's probes, and the answers at temperature 0."""


def run(
    runs: int = 30,
    quiet: int = 120,
    changed: int = 48,
    samples: int = 4,
    tokens: int = 12,
    logprob_noise: float = 0.02,
) -> Result:
    """Detect each change with each rule, and count false alarms where nothing changes.

    Parameters
    ----------
    runs : int
        Streams for each change, and streams without one.
    quiet : int
        Windows that each stream without a change is watched for, at least 24.
    changed : int
        Windows in which a change may be detected.
    samples, tokens : int
        Answers to a prompt in a window, and their length.
    logprob_noise : float
        Standard deviation, in nats, of the serving noise that is added to every log-probability; this machine has none.
    """
    logging.getLogger("transformers").setLevel(logging.ERROR)
    settings = SentinelConfig(backend="endpoint", samples=samples, max_tokens=tokens)
    with tempfile.TemporaryDirectory() as folder:
        pools = {
            change: answer_pool(changed_model(change, Path(folder)), change, settings, runs * windows * samples)
            for change, windows in {"none": REFERENCE + quiet, **dict.fromkeys(CHANGES, changed)}.items()
        }
    false = dict.fromkeys((*_MIN_EFFECTS, *_THREE_SIGMA), 0)
    found: dict[tuple[str, str], list[int | None]] = {}
    for seed in range(runs):
        random = np.random.default_rng([20261125, seed])
        before = [
            _window(pools["none"], seed * (REFERENCE + quiet) + index, samples, random, logprob_noise)
            for index in range(REFERENCE + quiet)
        ]
        streams = _Streams(before[:REFERENCE])
        whole = streams.over(before)
        for way in false:
            false[way] += _alarm(way, whole, after=REFERENCE) is not None
        start = {way: values[: REFERENCE + BEFORE] for way, values in whole.items()}
        for change in CHANGES:
            after = [
                _window(pools[change], seed * changed + index, samples, random, logprob_noise)
                for index in range(changed)
            ]
            rest = streams.over(after)
            joined = {way: [*values, *rest[way]] for way, values in start.items()}
            for way in false:
                at = _alarm(way, joined, after=REFERENCE + BEFORE)
                found.setdefault((change, way), []).append(at)
    per_window = pools["none"].n_prompts * samples
    rows = [
        Row(
            way=f"{change}: {way}",
            value=sum(at is not None for at in ends) / runs,
            note=_note(ends, pools["none"].n_prompts if way in _GREEDY else per_window, false[way], runs, quiet),
        )
        for (change, way), ends in found.items()
    ]
    per_day = pools["none"].tokens_per_answer * per_window * 24
    usd = (
        24 * per_window * sum(pools["none"].mean_tokens[kind] * USD_PER_MILLION[kind] for kind in USD_PER_MILLION) / 1e6
    )
    settings_told = {
        "runs": runs,
        "probes_per_window": per_window,
        "quiet_windows": quiet,
        "reference_windows": REFERENCE,
        "windows_changed": changed,
        "alpha": ALPHA,
        "logprob_noise": logprob_noise,
        "tokens_per_day": f"{per_day:,.0f}",
        "usd_per_day": f"{usd:.3f}",
    }
    return Result(unit="share detected", rows=rows, reference="system prompt: probe_mmd", settings=settings_told)


def _window(pool: Pool, index: int, samples: int, random: np.random.Generator, noise: float) -> Drawn:
    """Return the `index`-th window of a pool. No answer is in two windows: two finite pools differ by chance."""
    rows: list[dict[str, Any]] = []
    for prompt, answers in pool.answers.items():
        for repeat, text in enumerate(answers[index * samples : (index + 1) * samples]):
            logprobs = {
                token: min(0.0, value + noise * random.standard_normal())
                for token, value in pool.logprobs[prompt].items()
            }
            rows.append({"prompt": prompt, "repeat": repeat, "text": text, "first_logprobs": logprobs})
    return make_window(probes=rows), pool.greedy


class _Streams:
    """The value of every rule's statistic over windows, given the reference windows."""

    def __init__(self, reference: Sequence[Drawn]) -> None:
        self._metrics: Mapping[str, Any] = {"probe_mmd": ProbeMmd(), "probe_logprob_gap": ProbeLogprobGap()}
        self._reference = reference
        self._whole = {name: metric.summarise(_joined(reference)) for name, metric in self._metrics.items()}

    def over(self, windows: Sequence[Drawn]) -> Streams:
        """Return each statistic's stream; a reference window is compared with the other ones."""
        found: Streams = {way: [] for way in (*_MIN_EFFECTS, *_THREE_SIGMA)}
        for window in windows:
            data, greedy = window
            others = [other for other in self._reference if other is not window]
            inside = len(others) < len(self._reference)
            for name, metric in self._metrics.items():
                summary = metric.summarise(_joined(others)) if inside else self._whole[name]
                found[name].append(metric.compute(data, summary))
            length = Estimate(value=float(data.probes["text"].str.len().mean()), n=len(data.probes))
            found["mean length, same detector"].append(length)
            found["mean length, 3 sigma"].append(length)
            first = self._reference[0][1]
            equal = float(np.mean([greedy[prompt] == first[prompt] for prompt in first]))
            found["exact match at temperature 0"].append(Estimate(value=equal, n=len(first)))
        return found


def _joined(windows: Sequence[Drawn]) -> WindowData:
    return dataclasses.replace(
        windows[0][0], probes=pandas.concat([data.probes for data, _ in windows], ignore_index=True)
    )


def _alarm(way: str, streams: Streams, *, after: int) -> int | None:
    """Return how many windows after `after` the first alarm is at, None without one."""
    values = streams[way]
    if way in _THREE_SIGMA:
        numbers = np.array([estimate.value for estimate in values], dtype=float)
        centre, spread = numbers[:REFERENCE].mean(), numbers[:REFERENCE].std(ddof=1)
        flagged = np.abs(numbers - centre) > 3 * spread
    else:
        flagged = np.array([_tells(evidence) for evidence in _evidence(way, values)])
    ends = np.flatnonzero(flagged[after:])
    return int(ends[0]) + 1 if len(ends) else None


def _evidence(way: str, values: Sequence[Estimate]) -> list[Evidence]:
    stream = [
        Measurement(
            deployment="d",
            monitor=way,
            segment="all",
            window=Window(start=START + timedelta(hours=index), end=START + timedelta(hours=index + 1)),
            estimate=estimate,
            unit="",
        )
        for index, estimate in enumerate(values)
    ]
    detector = ReferenceChange(burn_in=REFERENCE)
    return fold(detector, stream, min_effect=_MIN_EFFECTS[way], direction="lower_is_better")


def _tells(evidence: Evidence) -> bool:
    return evidence.relevant and evidence.e_value is not None and evidence.e_value >= 1 / ALPHA


def _note(ends: Sequence[int | None], per_window: int, false: int, runs: int, quiet: int) -> str:
    seen = sorted(at for at in ends if at is not None)
    needed = f"median {seen[len(seen) // 2] * per_window} probes" if seen else "never"
    return f"{needed}; false alarms in {false} of {runs} quiet streams of {quiet} windows"
