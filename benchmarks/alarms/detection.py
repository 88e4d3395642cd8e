"""Windows until a change is found, at each rule's default and with every rule brought to the same false-alarm rate."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.alarms import catalogue
from benchmarks.alarms.false_alarms import say
from benchmarks.alarms.ours import ALPHA, OURS, OURS_TWO, by_stream, decide, evidence
from benchmarks.alarms.rules import Rule
from benchmarks.alarms.streams import Floats, Streams
from benchmarks.alarms.tasks import Ints, Plan, Task
from benchmarks.alarms.workers import each
from benchmarks.result import Grid

FIRST_START, LAST_START = 96, 264
"""Tested windows between which the changes begin."""
HORIZON = 672
"""Windows after the change in which it must be found."""
_OWN = (OURS, OURS_TWO)


def peer_scores(streams: Streams, rules: Sequence[Rule]) -> dict[str, Floats]:
    """Return every rule's score per window."""
    return {rule.name: rule.score(streams.top(rule.max_streams)) for rule in rules}


@dataclass(frozen=True, kw_only=True)
class Delays:
    """Delays of one method on one task, in windows; infinite where it was never found within the horizon.

    Parameters
    ----------
    delays : array
        Of the streams without an alarm before the change.
    n_early : int
        Streams with one.
    """

    delays: Floats
    n_early: int

    @property
    def median(self) -> float:
        return float(np.median(self.delays)) if len(self.delays) else math.nan

    def __str__(self) -> str:
        median = (
            "early" if math.isnan(self.median) else f">{HORIZON}" if math.isinf(self.median) else f"{self.median:g}"
        )
        missed = f" {100 * np.isinf(self.delays).mean():.0f}% missed" if np.isinf(self.delays).any() else ""
        early = f" {self.n_early} early" if self.n_early else ""
        return f"{median}{missed}{early}"


@dataclass(frozen=True, kw_only=True)
class Unchanged:
    """What a task's streams do in a year in which nothing changes.

    Parameters
    ----------
    limits : mapping
        Per rule, llmmon among them, the score at which 5% of the deployments raise any alarm.
    alarmed : str
        Of how many deployments how many alarmed with llmmon at its own alpha, as printed.
    """

    limits: dict[str, float]
    alarmed: str


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """One deployment in which nothing changes: each rule's largest score, and whether llmmon's two monitors alarm."""

    largest: dict[str, float]
    is_alarmed: bool


def unchanged(deployments: Sequence[Quiet]) -> Unchanged:
    """Bring every rule, llmmon among them, to 5% on a task's unchanged deployments.

    Of N deployments' largest scores the one that leaves floor(N / 20) above it, and the next number up: with fewer
    than 20 deployments none of them alarms. A rule that looks at fewer streams than the deployment has is let off the
    rest. A rule with no score at all (Evidently without rows) gets an infinite threshold. llmmon's score is the
    evidence that one stream needs so that e-BH rejects.
    """
    return Unchanged(
        limits={name: _above([quiet.largest[name] for quiet in deployments]) for name in deployments[0].largest},
        alarmed=f"{sum(quiet.is_alarmed for quiet in deployments)}/{len(deployments)}",
    )


def quiet_deployment(kind: str, plan: Plan, rules: Sequence[Rule]) -> Quiet:
    """Look at a deployment of the streams that tasks name `kind`."""
    task = next(task for task in catalogue.tasks() if task.unchanged == kind)
    streams = task.draw(plan)
    ours = evidence(streams)
    decisions = {}
    for name in _OWN:
        log_e, effect, smallest = ours.get(name, ours[OURS])
        decisions[name] = len(log_e), decide(log_e, effect, min_effect=smallest)
    largest = {name: math.log(n) + decision.worst for name, (n, decision) in decisions.items()}
    for name, found in peer_scores(streams, rules).items():
        largest[name] = float(np.where(np.isnan(found), -np.inf, found).max())
    told = ", ".join(f"{name} {score:.3g}" for name, score in largest.items())
    say(f"detection: unchanged {kind} seed {plan.seed}: largest scores {told}")
    return Quiet(largest=largest, is_alarmed=decisions[OURS_TWO][1].is_alarmed)


def _above(scores: list[float]) -> float:
    """Return the smallest threshold that at most 5% of `scores` reach."""
    if not scores or max(scores) == -math.inf:
        return math.inf
    return float(np.nextafter(sorted(scores, reverse=True)[math.floor(ALPHA * len(scores))], math.inf))


def delays(found: Floats, starts: Ints, threshold: float) -> Delays:
    """Return how many windows after its start each stream's score first reached the threshold, 1 for the first."""
    alarms = found >= threshold
    column = np.arange(found.shape[1])
    since = column - starts[:, None]
    early = (alarms & (since < 0)).any(axis=1)
    late = alarms & (since >= 0) & (since < HORIZON)
    first = np.where(late.any(axis=1), np.argmax(late, axis=1) - starts + 1, np.inf)
    return Delays(delays=first[~early], n_early=int(early.sum()))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One task with every method at its default, and at the equal false-alarm rate."""

    name: str
    changes: bool
    unchanged: str
    null: Unchanged
    default: dict[str, Delays]
    equal: dict[str, Delays]


def run_task(name: str, null: Unchanged, rules: Sequence[Rule], n_streams: int, plan: Plan) -> Outcome:
    """Return the delays of every method on one task; `plan` gives sizes, `n_streams` how many e-BH divides alpha by."""
    began = time.monotonic()
    task = next(task for task in catalogue.tasks() if task.name == name)
    every = {rule.name: replace(rule, max_streams=None) for rule in rules}
    assert plan.starts is not None
    streams = task.draw(plan)
    ours = evidence(streams)
    scores, thresholds = {}, {name: rule.threshold for name, rule in every.items()}
    for way in _OWN:
        log_e, _, _ = ours.get(way, ours[OURS])
        scores[way] = by_stream(log_e, streams)
        # e-BH asks an e-value of streams / alpha of a single changed stream
        thresholds[way] = math.log(n_streams * len(log_e) / streams.shape[0] / ALPHA)
    default, equal = {}, {}
    for way, found in (scores | peer_scores(streams, list(every.values()))).items():
        default[way] = delays(found, plan.starts, thresholds[way])
        equal[way] = delays(found, plan.starts, null.limits[way])
    say(f"detection: {name} in {time.monotonic() - began:.1f} s")
    return Outcome(name=name, changes=task.changes, unchanged=task.unchanged, null=null, default=default, equal=equal)


def run_tasks(
    tasks: Sequence[Task],
    rules: Sequence[Rule],
    *,
    seeds: Sequence[int],
    n_streams: int,
    n_windows: int,
    n_reference: int,
    n_changed: int,
    jobs: int,
) -> list[Outcome]:
    """Run every task; tasks with the same unchanged streams share what is learnt on them."""
    plan = Plan(n_streams=n_streams, n_reference=n_reference, n_windows=n_windows, starts=None, seed=0)
    kinds = list(dict.fromkeys(task.unchanged for task in tasks))
    wanted = [(kind, replace(plan, seed=1000 + seed), rules) for seed in seeds for kind in kinds]
    found = list(each(quiet_deployment, wanted, jobs=jobs))
    nulls = {kind: unchanged(found[place :: len(kinds)]) for place, kind in enumerate(kinds)}
    starts = np.random.default_rng(11).integers(FIRST_START, LAST_START, n_changed)
    changed = replace(plan, n_streams=n_changed, n_windows=LAST_START + HORIZON, starts=starts, seed=seeds[0])
    return list(
        each(run_task, [(task.name, nulls[task.unchanged], rules, n_streams, changed) for task in tasks], jobs=jobs)
    )


def grids(outcomes: Sequence[Outcome], rules: Sequence[Rule], *, n_streams: int) -> list[Grid]:
    """Return the delays at defaults, the delays at the equal rate, the thresholds, and the count of tasks won."""
    nulls = {outcome.unchanged: outcome.null for outcome in outcomes}
    names = list(outcomes[0].default)
    peers = [name for name in names if name not in _OWN]
    title = f"median delay in windows until the changed stream alarms (found within {HORIZON})"
    return [
        Grid(
            title=f"{title}, each rule at its default",
            columns=("task", *names),
            rows=[(outcome.name, *(str(outcome.default[name]) for name in names)) for outcome in outcomes],
        ),
        Grid(
            title=(
                f"{title}; every rule brought to 5% any-alarm per deployment and year on the task's unchanged streams"
            ),
            columns=("task", *names),
            rows=[(outcome.name, *(str(outcome.equal[name]) for name in names)) for outcome in outcomes],
        ),
        Grid(
            title="score at which each rule was brought to 5% (first row: its default); unchanged deployments alarmed",
            columns=("unchanged streams", *names, f"alarmed at alpha 5%: {OURS_TWO}"),
            rows=[
                (
                    "default",
                    *(f"{math.log(n * n_streams / ALPHA):.3g}" for n in (1, 2)),
                    *(f"{rule.threshold:.3g}" for rule in rules),
                    "",
                ),
                *(
                    (name, *(f"{null.limits[rule]:.3g}" for rule in names), null.alarmed)
                    for name, null in nulls.items()
                ),
            ],
        ),
        Grid(
            title="llmmon against the best peer, which is at the equal false-alarm rate; tasks with a change",
            columns=("llmmon", "tasks that any method finds", "shortest median", "worst ratio to the best", "on"),
            rows=[
                _score(f"{name}, {told}", [getattr(outcome, way)[name] for outcome in outcomes], peers, outcomes)
                for name in _OWN
                for told, way in (("as shipped", "default"), ("at the equal rate", "equal"))
            ],
        ),
    ]


def _score(told: str, ours: Sequence[Delays], peers: Sequence[str], outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    won, worst, on, n = 0, 0.0, "-", 0
    for found, outcome in zip(ours, outcomes, strict=True):
        if not outcome.changes:
            continue
        own = found.median
        medians = [outcome.equal[peer].median for peer in peers]
        best = min((median for median in medians if not math.isnan(median)), default=math.inf)
        if math.isinf(best) and math.isinf(own):
            continue  # found by nobody: no one's win
        n += 1
        won += own <= best
        ratio = 1.0 if own == best else own / best if not math.isinf(best) else 0.0
        if not ratio <= worst:
            worst, on = ratio, outcome.name
    return told, str(n), str(won), f"{worst:.3g}", on
