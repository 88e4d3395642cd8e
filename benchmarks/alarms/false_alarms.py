"""How often a deployment in which nothing changes raises any alarm in a year."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.alarms import null
from benchmarks.alarms.ours import decide, evidence
from benchmarks.alarms.rules import Rule
from benchmarks.alarms.workers import each
from benchmarks.result import Grid
from llmmon.metrics.intervals import wilson


@dataclass(frozen=True, kw_only=True)
class Size:
    """One shape of deployment.

    Parameters
    ----------
    label : str
        As printed.
    n_windows, n_reference : int
        Tested windows and reference windows.
    daily : bool
        Windows of a day instead of an hour.
    """

    label: str
    n_windows: int
    n_reference: int
    daily: bool


@dataclass
class Tally:
    """Deployments seen with one rule, and when each alarmed first (tested window), if it did."""

    n_streams: int
    n_deployments: int = 0
    first: list[int] = field(default_factory=list)

    def add(self, first: int | None) -> None:
        self.n_deployments += 1
        if first is not None:
            self.first.append(first)

    def __str__(self) -> str:
        if not self.n_deployments:
            return "-"
        low, high = wilson(len(self.first) / self.n_deployments, self.n_deployments)
        told = f"{len(self.first)}/{self.n_deployments} ({100 * low:.0f}-{100 * high:.0f}%)"
        return f"{told} @{statistics.median(self.first) + 1:.0f}" if self.first else told


def measure(size: Size, *, n_streams: int, seeds: Sequence[int], rules: Sequence[Rule], jobs: int) -> Grid:
    """Return, per rule and kind of stream, in how many deployments it alarmed at its default, and when first."""
    found: dict[str, dict[str, Tally]] = {}
    deployments = [(kind, seed, size, n_streams, rules) for kind in null.kinds() for seed in seeds]
    looks = each(_first_alarms, deployments, jobs=jobs)
    for (kind, *_), alarms in zip(deployments, looks, strict=True):
        for name, taken, first in alarms:
            found.setdefault(name, {}).setdefault(kind, Tally(n_streams=taken)).add(first)
    rows = []
    for name, tallies in found.items():
        taken = next(iter(tallies.values())).n_streams
        rows.append((name if taken == n_streams else f"{name} ({taken} streams)", *map(str, tallies.values())))
    return Grid(
        title=(
            f"deployments with any false alarm in {size.n_windows:,} {size.label} windows x {n_streams} streams, "
            f"{size.n_reference} reference windows: count (95% interval) @median window of the first"
        ),
        columns=("rule at its default", *null.kinds()),
        rows=rows,
    )


def _first_alarms(
    kind: str, seed: int, size: Size, n_streams: int, rules: Sequence[Rule]
) -> list[tuple[str, int, int | None]]:
    """Return every rule's name, how many streams it looked at, and the deployment's first alarm."""
    began = time.monotonic()
    streams = null.null_streams(kind, size.n_windows, n_streams, seed, n_reference=size.n_reference, daily=size.daily)
    found = []
    for told, of_any_size in (("any size", True), ("min_effect", False)):
        for name, (log_e, effect, smallest) in evidence(streams, of_any_size=of_any_size).items():
            decision = decide(log_e, effect, min_effect=smallest)
            found.append((f"{name}, {told}", min(len(log_e), streams.shape[0]), decision.first_window))
    for rule in rules:
        taken = streams.top(rule.max_streams)
        alarms = (rule.score(taken) >= rule.threshold).any(axis=0)
        found.append((rule.name, taken.shape[0], int(np.argmax(alarms)) if alarms.any() else None))
    say(f"false alarms, {size.label}: {kind} seed {seed} in {time.monotonic() - began:.1f} s")
    return found


def say(line: str) -> None:
    """Tell how far it is."""
    print(line, file=sys.stderr, flush=True)
