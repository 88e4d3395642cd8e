"""Deployments in which nothing changes, of each kind."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from benchmarks.alarms import data, pools
from benchmarks.alarms.pools import Pool
from benchmarks.alarms.streams import Streams, iid_streams, joined

REAL = ("servegen-seen", "servegen", "servegen-class", "azure", "llmperf", "arena")
WEEK = 168


def kinds() -> tuple[str, ...]:
    """Return the kinds that can be drawn here."""
    return ("iid", *REAL) if data.is_there() else ("iid",)


@functools.cache
def pools_of(kind: str, *, daily: bool) -> Sequence[Pool]:
    """Return the windows that a real kind draws from; always the same ones."""
    random = np.random.default_rng(20251125)
    if kind.startswith("servegen"):
        return pools.servegen(daily=daily, days=kind.partition("-")[2] or "weekday", random=random)
    if kind == "azure":
        return pools.azure(daily=daily)
    return {"llmperf": pools.llmperf, "arena": pools.arena}[kind]()


def null_streams(
    kind: str, n_windows: int, n_streams: int, seed: int, *, n_reference: int = 672, daily: bool = False
) -> Streams:
    """Draw a deployment in which nothing changes.

    Parameters
    ----------
    kind : str
        ``iid``, or one of `REAL`: ``servegen`` takes days of the same weekday, of which there are two; so does
        ``servegen-seen``, after four weeks that are the real fortnight twice, so that no later day is one that the
        reference has not shown; ``servegen-class`` takes days of the same kind (work or weekend), of which there are
        ten and four.
    n_windows, n_reference : int
        Windows that are tested, and reference windows before them.
    n_streams : int
        Statistics; pools are walked through again, elsewhere, when they have fewer.
    seed : int
        Of everything drawn, together with the kind.
    daily : bool
        Windows of a day instead of an hour.
    """
    random = np.random.default_rng([seed, ("iid", *REAL).index(kind), int(daily)])
    step = 24 if daily else 1
    if kind == "iid":
        return iid_streams(n_streams, n_windows, n_reference, step_hours=step, random=random)
    width = n_reference + n_windows
    parts: list[Streams] = []
    while sum(part.shape[0] for part in parts) < n_streams:
        shared = _walks(kind, pools_of(kind, daily=daily), width, random)
        for pool, walk in zip(pools_of(kind, daily=daily), shared, strict=True):
            left = n_streams - sum(part.shape[0] for part in parts)
            if left > 0:
                parts.append(_walked(pool, walk, left, n_reference, step))
    return joined(parts)


def _walks(kind: str, found: Sequence[Pool], width: int, random: np.random.Generator) -> list[pools.Ints]:
    """Return each pool's walk; ServeGen's clients share theirs, as they share the days."""
    if kind.startswith("servegen"):
        return [found[0].walk(width, random)] * len(found)
    return [pool.walk(width, random) for pool in found]


def _walked(pool: Pool, walk: pools.Ints, n_streams: int, n_reference: int, step: int) -> Streams:
    return Streams(
        values=pool.values[:n_streams, walk],
        variances=pool.variances[:n_streams, walk],
        n=pool.n[:n_streams, walk],
        hours=np.arange(len(walk)) * step,
        n_reference=n_reference,
        names=pool.names[:n_streams],
        units=pool.units[:n_streams],
        distance=pool.distance[:n_streams, walk],
        ks=pool.ks[:n_streams, walk],
    )
