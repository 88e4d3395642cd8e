"""Single-cause faults planted into a simulated service, and how often the three lanes name the right one."""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal

import numpy as np

from benchmarks.result import Result, Row
from llmmon.metrics.intervals import Floats
from llmmon.pipeline.attribution import Lanes, attribute

SUMMARY = (
    "single-cause faults (traffic, model, serving noise, judge): the share of seeded runs that name the right cause"
)
Fault = Literal["nothing", "traffic", "model", "passing noise", "lasting noise", "judge"]
FAULTS: Final[tuple[Fault, ...]] = ("nothing", "traffic", "model", "passing noise", "lasting noise", "judge")
RIGHT: Final = {"nothing": None, "passing noise": "serving noise", "lasting noise": "serving noise"}
_COLUMNS: Final = ("traffic", "model", "serving noise", "judge", None)
_LEVELS: Final = {"0/1": (0.05, 0.15, 0.6), "words": (40.0, 80.0, 200.0)}
_SIZE: Final = 0.3
"""Share of answers that a fault of the model, of serving or of the judge touches, when the score is 0 or 1."""


def run(runs: int = 200, replays: int = 200, reference: int = 800, answers: int = 3) -> Result:
    """Count which cause is named for each fault.

    Parameters
    ----------
    runs : int
        Seeded runs of each fault and kind of score.
    replays, reference : int
        Replayed requests in the current and in the reference windows.
    answers : int
        Answers of what serves now to each prompt: 1, or more with the repeat variant.
    """
    rows = []
    for kind in _LEVELS:
        for fault in FAULTS:
            named = Counter(
                named_cause(kind, fault, seed=seed, n=replays, n_reference=reference, answers=answers)
                for seed in range(runs)
            )
            told = ", ".join(f"{cause or 'cannot tell yet'} {named[cause]}" for cause in _COLUMNS if named[cause])
            rows.append(Row(way=f"{kind}: {fault}", value=100 * named[RIGHT.get(fault, fault)] / runs, note=told))
    settings = {"runs": runs, "replays": replays, "reference": reference, "answers": answers}
    return Result(unit="% named rightly", rows=rows, reference="0/1: nothing", settings=settings)


def named_cause(kind: str, fault: Fault, *, seed: int, n: int, n_reference: int, answers: int) -> str | None:
    """Return the cause that is named in one simulated change."""
    random = np.random.default_rng([seed, FAULTS.index(fault), len(kind)])
    before = simulate(random, n_reference, kind, "nothing", answers)
    return attribute(before, simulate(random, n, kind, fault, answers)).cause


def simulate(random: np.random.Generator, n: int, kind: str, fault: Fault, answers: int) -> Lanes:
    """Return the lanes of `n` replayed requests of three routes, with one fault.

    Production answers each route at another level than the pinned model; prompts differ inside a route, and the same
    prompt asked twice gives two answers. Requests are drawn with unequal probabilities.
    """
    mix = (0.15, 0.15, 0.7) if fault == "traffic" else (0.5, 0.3, 0.2)
    route = random.choice(3, n, p=mix)
    prompt = random.normal(size=n)
    touched = random.random(n) < _SIZE
    level = np.array(_LEVELS[kind])[route]

    def ask(noise: bool) -> Floats:
        derailed = (random.random(n) < _SIZE) & noise
        if kind == "words":
            spoken = level * np.exp(0.3 * prompt + 0.25 * random.normal(size=n))
            return np.asarray(spoken * (1.6 if fault == "model" else 1.0) * np.where(derailed, 3.0, 1.0))
        chance = 1 / (1 + np.exp(-3 * (np.log(level / (1 - level)) + 2.5 * prompt)))
        said = random.random(n) < np.where(touched & (fault == "model"), 1.0, chance)
        return np.asarray(said | derailed, dtype=float)

    logged = ask(noise=fault in ("passing noise", "lasting noise"))
    serving = np.stack([ask(noise=fault == "lasting noise") for _ in range(answers)], axis=1)
    if kind == "words":
        reference = 20 * np.exp(0.2 * prompt + 0.2 * random.normal(size=n)) * np.array([1.0, 2.0, 3.0])[route]
        judged = logged * 1.5
    else:
        reference = (random.random(n) < 1 / (1 + np.exp(-prompt - np.array([-1.0, -0.5, 0.0])[route]))).astype(float)
        judged = np.where(touched, 1.0, logged)
    return Lanes(
        weight=random.choice([1.0, 3.0], n),
        stratum=route.astype(str),
        stored=judged if fault == "judge" else logged,
        logged=logged,
        serving=serving,
        reference=np.asarray(reference, dtype=float),
    )
