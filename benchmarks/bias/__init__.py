"""Bias: counterfactual replay, group fairness, stereotype probes."""

from __future__ import annotations

import importlib

from benchmarks.result import Grid

SUMMARY = "bias: planted gaps found with the announced power, intervals between groups, four fifths, BBQ, WinoBias"
PARTS = ("fairness", "stereotypes", "winobias", "counterfactual")
"""Modules of this package, each with a function `run` that returns grids."""


def run(part: str = "all", runs: int = 200, seed: int = 0) -> list[Grid]:
    """Run one part, or all of them.

    Parameters
    ----------
    part : str
        One of `PARTS`; ``all`` for every one.
    runs : int
        Simulated deployments per cell, where a part simulates.
    seed : int
        Of the simulations.
    """
    chosen = PARTS if part == "all" else (part,)
    if not set(chosen) <= set(PARTS):
        raise SystemExit(f"benchmarks: part: expected all or one of {', '.join(PARTS)}, got {part!r}")
    return [
        grid for name in chosen for grid in importlib.import_module(f"benchmarks.bias.{name}").run(runs=runs, seed=seed)
    ]
