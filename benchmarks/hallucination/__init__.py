"""How well unsupported and made-up answers are found, with a context and without."""

from __future__ import annotations

import importlib

from benchmarks.result import Grid

SUMMARY = "unsupported and made-up answers found: RAGTruth, SummEdits, replays, references, beside published figures"
_PARTS = ("context", "no_context")


def run(part: str = "all", rounds: int = 3) -> list[Grid]:
    """Measure on the public data below ``LLMMON_DATA``.

    Parameters
    ----------
    part : str
        ``context``, ``no_context`` or ``all``.
    rounds : int
        Of the timing; the best counts.
    """
    if part not in (*_PARTS, "all"):
        raise SystemExit(f"benchmarks: part={part}: expected one of {', '.join(_PARTS)}, all")
    return [
        grid
        for name in _PARTS
        if part in (name, "all")
        for grid in importlib.import_module(f"benchmarks.hallucination.{name}").grids(rounds=rounds)
    ]
