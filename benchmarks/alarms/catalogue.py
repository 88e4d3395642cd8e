"""The list of detection tasks."""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np

from benchmarks.alarms import data, null, texts
from benchmarks.alarms.pools import blocks
from benchmarks.alarms.tasks import Pair, Task, at_three, mean, of_rows, planted, ramp, rate, real

_PLACES = 4000


def tasks() -> list[Task]:
    """Return every task that can be run here, those that must stay silent last."""
    found = [
        rate("rate 2% to 4%, n=100", before=0.02, after=0.04, n=100),
        rate("rate 2% to 10%, n=50", before=0.02, after=0.10, n=50),
        mean("mean +0.25 sd", shift=0.25),
        mean("mean +0.5 sd", shift=0.5),
        mean("mean +1 sd", shift=1.0),
        mean("mean +2 sd", shift=2.0),
        mean("variance of rows doubled", spread=np.sqrt(2)),
        mean("ramp to +2 sd in 2 weeks", shift=2.0, shape=ramp),
        rate("rate 5% to 15% at 3 a.m., n=200", before=0.05, after=0.15, n=200, shape=at_three),
    ]
    if data.is_there():
        found += [*_planted_in_real(), *_dated_models()]
    return found


def _planted_in_real() -> list[Task]:
    def scaled(kind: str, name: str, factor: float) -> functools.partial[list[Pair]]:
        return functools.partial(_pairs, kind, name, factor=factor)

    def moved(kind: str, name: str, deviations: float) -> functools.partial[list[Pair]]:
        return functools.partial(_pairs, kind, name, deviations=deviations)

    return [
        real("llmperf TTFT p50 x1.2", scaled("llmperf", "ttft_ms p50", 1.2)),
        real("llmperf TTFT p50 x1.5", scaled("llmperf", "ttft_ms p50", 1.5)),
        real("servegen requests x0.5", scaled("servegen-class", " requests", 0.5)),
        real("servegen requests x0.5 at 3 a.m.", scaled("servegen-class", " requests", 0.5), shape=at_three),
        real("servegen output mean +1 sd", moved("servegen-class", "output_tokens mean", 1.0)),
        real("azure output tokens +1 sd", moved("azure", "output tokens mean", 1.0)),
        real("arena words +1 sd", moved("arena", " words mean", 1.0)),
    ]


def _pairs(kind: str, name: str, *, factor: float = 1.0, deviations: float = 0.0) -> list[Pair]:
    """Return every statistic whose name ends so, times a factor and moved by deviations between its windows."""
    return [
        planted(pool, index, factor, deviations * float(pool.values[index].std()))
        for pool in null.pools_of(kind, daily=False)
        for index, own in enumerate(pool.names)
        if own.endswith(name)
    ]


def _dated_models() -> list[Task]:
    def llmdrift(task: str, n: int, model: str = "gpt-4") -> functools.partial[list[Pair]]:
        versions = (f"{model}-0314", f"{model}-0613") if model == "gpt-4" else (f"{model}-0301", f"{model}-0613")
        return functools.partial(_llmdrift, task, n, versions)

    return [
        real("GPT-4 primes, accuracy, n=30", llmdrift("prime", 30)),
        real("GPT-4 happy numbers, accuracy, n=30", llmdrift("happynumber", 30)),
        real("GPT-4 opinions, answered, n=30", llmdrift("opinionqa", 30)),
        real("GPT-4 sensitive, answered, n=30", llmdrift("sensitiveq", 30)),
        real("GPT-4 code, usable, n=20", llmdrift("leetcode", 20)),
        real("arena words, gpt-4 0314 to 0613", functools.partial(_arena, "gpt-4-0314", "gpt-4-0613")),
        real("arena words, gpt-4 to gpt-3.5", functools.partial(_arena, "gpt-4-0314", "gpt-3.5-turbo-0125")),
        real("GPT-3.5 opinions (no change), n=30", llmdrift("opinionqa", 30, "gpt-3.5-turbo"), changes=False),
    ]


@functools.cache
def _llmdrift(task: str, n: int, versions: tuple[str, str]) -> list[Pair]:
    random = np.random.default_rng(20230613)
    before, after = (
        np.array([float(is_right(task, row)) for row in data.llmdrift_rows(task, version)]) for version in versions
    )
    places = tuple(random.integers(0, len(rows), (_PLACES, n)) for rows in (before, after))
    walk = blocks(_PLACES, 1)
    return [of_rows(before, after, statistic="rate", n=n, places=(places[0], places[1]), walk=walk)]


def is_right(task: str, row: dict[str, Any]) -> bool:
    """Return whether an answer of LLMDrift is right, or given at all, by the publishers' rules."""
    answer = str(row["answer"])
    if task == "prime":
        said = re.findall(r"\[(yes|no)\]", answer, re.I)
        return bool(said) and said[-1].lower() == str(row["ref_answer"]).lower()
    if task == "happynumber":
        said = re.findall(r"boxed\{+(\d+)", answer)
        return bool(said) and said[-1] == re.findall(r"\d+", str(row["ref_answer"]))[-1]
    if task == "opinionqa":
        return re.match(r"\s*\(?[A-Z]\)?[.):]?(\s|$)", answer) is not None
    return bool(float(row["Response Rate" if task == "sensitiveq" else "Directly Usable"]))


@functools.cache
def _arena(before: str, after: str) -> list[Pair]:
    rows = [texts.columns(model)["words"][0] for model in (before, after)]
    size = min(len(column) for column in rows)
    places = (np.arange(size)[:, None] + np.arange(40)) % size
    return [of_rows(rows[0], rows[1], statistic="mean", n=40, places=(places, places), walk=blocks(size, 3, 40))]
