"""The list of detection tasks."""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.alarms import data, null, texts
from benchmarks.alarms.pools import N_DRAWS, blocks, neighbours
from benchmarks.alarms.tasks import Amount, Pair, Task, at_once, at_three, mean, of_rows, planted, ramp, rate, real


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
    def scaled(name: str, kind: str, statistic: str, factor: float, shape: Amount = at_once) -> Task:
        pairs = functools.partial(_pairs, kind, statistic, factor=factor)
        return real(name, pairs, f"{kind} {statistic}", shape=shape)

    def moved(name: str, kind: str, statistic: str, deviations: float) -> Task:
        pairs = functools.partial(_pairs, kind, statistic, deviations=deviations)
        return real(name, pairs, f"{kind} {statistic}")

    return [
        scaled("llmperf TTFT p50 x1.2", "llmperf", "ttft_ms p50", 1.2),
        scaled("llmperf TTFT p50 x1.5", "llmperf", "ttft_ms p50", 1.5),
        scaled("servegen requests x0.5", "servegen-class", " requests", 0.5),
        scaled("servegen requests x0.5 at 3 a.m.", "servegen-class", " requests", 0.5, at_three),
        moved("servegen output mean +1 sd", "servegen-class", "output_tokens mean", 1.0),
        moved("azure output tokens +1 sd", "azure", "output tokens mean", 1.0),
        moved("arena words +1 sd", "arena", " words mean", 1.0),
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
    def answers(name: str, task: str, n: int, before: str, after: str, *, changes: bool = True) -> Task:
        # rows drawn with replacement from a version's answers: right ones are binomial
        shares = [float(np.mean([is_right(task, row) for row in data.llmdrift_rows(task, v)])) for v in (before, after)]
        return replace(rate(f"{name}, n={n}", before=shares[0], after=shares[1], n=n), changes=changes)

    def words(name: str, before: str, after: str) -> Task:
        return real(name, functools.partial(_arena, before, after), f"words {before}")

    gpt_4, gpt_35 = ("gpt-4-0314", "gpt-4-0613"), ("gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613")
    return [
        answers("GPT-4 primes, accuracy", "prime", 30, *gpt_4),
        answers("GPT-4 happy numbers, accuracy", "happynumber", 30, *gpt_4),
        answers("GPT-4 opinions, answered", "opinionqa", 30, *gpt_4),
        answers("GPT-4 sensitive, answered", "sensitiveq", 30, *gpt_4),
        answers("GPT-4 code, usable", "leetcode", 20, *gpt_4),
        words("arena words, gpt-4 0314 to 0613", "gpt-4-0314", "gpt-4-0613"),
        words("arena words, gpt-4 to gpt-3.5", "gpt-4-0314", "gpt-3.5-turbo-0125"),
        answers("GPT-3.5 opinions (no change)", "opinionqa", 30, *gpt_35, changes=False),
    ]


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
        return re.match(r"\([A-Z]\)", answer) is not None
    return bool(float(row["Response Rate" if task == "sensitiveq" else "Directly Usable"]))


@functools.cache
def _arena(before: str, after: str) -> list[Pair]:
    rows = [texts.columns(model)["words"][0] for model in (before, after)]
    size = min(len(column) for column in rows)
    places = neighbours(size, np.arange(size), 40)
    walk = blocks(size, 3, 40, n_draws=N_DRAWS)
    return [of_rows(rows[0], rows[1], statistic="mean", n=40, places=(places, places), walk=walk)]
