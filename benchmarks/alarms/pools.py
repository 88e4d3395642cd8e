"""Real windows from which null streams are drawn in blocks, so that dependence and rhythm survive.

A pool holds one deployment's windows in the order of time. A stream is a walk through it: blocks of neighbouring
windows, each block's place drawn from the whole pool, before and after the end of the reference alike, so that nothing
changes. All statistics of one pool take the same walk, so that the dependence between them survives too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.alarms import data, evidently, reduce, texts
from benchmarks.alarms.streams import Floats, Unit

Ints = npt.NDArray[np.int64]
N_DRAWS = 8
"""Windows of each place of a pool."""
LEVELS = {"p50": 0.5, "p90": 0.9}
Walk = Callable[[int, np.random.Generator], Ints]
"""Number of windows and random generator to the places in the pool of a stream's windows."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of a pool's windows, to plant a change in.

    Parameters
    ----------
    windows : array of shape (n_places, n)
    reference : array
        Rows to compare windows with.
    statistic : {"rate", "mean", "p50", "p90"}
        What the windows are reduced to.
    """

    windows: Floats
    reference: Floats
    statistic: str

    def reduced(self, windows: Floats | None = None) -> tuple[Floats, Floats, Floats, Floats]:
        """Return value, squared standard error, Evidently's and the KS distance of each window, or of others."""
        rows = np.sort(self.windows if windows is None else windows, axis=1)
        if self.statistic == "rate":
            value, variance = reduce.rates(rows.sum(axis=1), rows.shape[1])
            return value, variance, evidently.of_rates(value, float(self.reference.mean())), np.full(len(value), np.nan)
        found = reduce.means(rows) if self.statistic == "mean" else reduce.quantiles(rows, LEVELS[self.statistic])
        return *found, evidently.of_rows(rows, self.reference), reduce.ks_distances(rows, self.reference)


Reduced = tuple[Floats, Floats, Floats, Floats, Floats, Rows | None]
"""Value, squared standard error, rows, Evidently's and the KS distance of each window, and the rows themselves."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Windows of some statistics; `values` and `variances` have shape (n_statistics, n_places)."""

    names: tuple[str, ...]
    units: tuple[Unit, ...]
    values: Floats
    variances: Floats
    n: Ints
    walk: Walk
    distance: Floats
    ks: Floats
    rows: tuple[Rows | None, ...]


def walk_of_days(days: str, *, hours: int = 24, first_day: int = 0) -> Walk:
    """Return the walk that takes each day whole, from one of the pool's 14 days of the same weekday.

    With `days` "class" from one of those of the same kind, the five days of work or the weekend, so that more days
    differ. Which two neighbouring days of the seven are the weekend is not told by the data; the last two are taken.
    With "seen" the first four weeks are the pool's days in their order, twice. The pool's days before `first_day` are
    not taken.
    """
    by_class = days == "class"
    pool = np.arange(first_day, 14)
    kind = (pool % 7 >= 5).astype(np.int64) if by_class else pool % 7

    def walk(n_windows: int, random: np.random.Generator) -> Ints:
        weekdays = np.arange(-(-n_windows // hours)) % 7
        wanted = (weekdays >= 5).astype(np.int64) if by_class else weekdays
        start = np.empty(len(weekdays), dtype=np.int64)
        for which in np.unique(wanted):
            here = wanted == which
            start[here] = random.choice(pool[kind == which], here.sum()) * hours
        if days == "seen":
            own = np.arange(min(28, len(weekdays))) % 14
            start[: len(own)] = np.where(own < first_day, own + 7, own) * hours
        return (start[:, None] + np.arange(hours)).ravel()[:n_windows]

    return walk


def blocks(n_places: int, length: int, stride: int = 1, *, n_draws: int = 1) -> Walk:
    """Return the walk of blocks of `length` windows that follow each other in the pool, a circle; places are random.

    `stride` is by how many places the next window begins after one; it is the rows of a window where each row begins
    a place. With `n_draws` the pool holds its places so many times, each time with other rows.
    """

    def walk(n_windows: int, random: np.random.Generator) -> Ints:
        start = random.integers(0, n_places, -(-n_windows // length))
        place = ((start[:, None] + np.arange(length) * stride) % n_places).ravel()[:n_windows]
        return place + n_places * random.integers(0, n_draws, n_windows)

    return walk


def neighbours(n_rows: int, starts: Ints, n: int) -> Ints:
    """Return the rows of `N_DRAWS` windows at each start: `n` drawn from the 3/2 n rows that follow it in a circle.

    A year walks many times through few hundred places. Were each place one window, nothing could ever lie beyond the
    largest of them, and a threshold there would be a year's for free.
    """
    random = np.random.default_rng(40)
    return (np.tile(starts, N_DRAWS)[:, None] + random.integers(0, 3 * n // 2, (N_DRAWS * len(starts), n))) % n_rows


def servegen(*, daily: bool, days: str, random: np.random.Generator) -> list[Pool]:
    """Return per client the requests and the share of the traffic, and of m-small the lengths of 100 drawn requests."""
    pools = []
    for model in ("m-large", "m-small"):
        clients, counts, variation = data.servegen_counts(model)
        if daily:
            hourly = counts.reshape(len(clients), 14, 24)
            counts = hourly.sum(axis=2)
            variation = (hourly * variation.reshape(hourly.shape)).sum(axis=2) / np.maximum(counts, 1)
        total = np.maximum(counts.sum(axis=0), 1)
        first_day = data.SERVEGEN_FIRST_DAY[model]
        walk = walk_of_days(days, hours=1 if daily else 24, first_day=first_day)
        for index, client in enumerate(clients):
            names: list[str] = [f"{model}/{client} requests", f"{model}/{client} share of requests"]
            units: list[Unit] = ["level", "rate"]
            share, none = reduce.rates(counts[index], total), np.full(len(total), np.nan)
            found: list[Reduced] = [
                (*reduce.counts(counts[index], variation[index]), counts[index], none, none, None),
                (*share, total, evidently.of_rates(share[0], float(share[0].mean())), none, None),
            ]
            for field in ("input_tokens", "output_tokens"):
                quarters = data.servegen_lengths().get((client, field), []) if model == "m-small" else []
                if not quarters or any(quarter is None for quarter in quarters[4 * first_day :]):
                    continue
                quarters = [*quarters[28 : 28 + 4 * first_day], *quarters[4 * first_day :]]  # places never taken
                drawn = _drawn(quarters, daily=daily, random=random)
                for statistic in ("mean", "p50", "p90"):
                    names.append(f"{model}/{client} {field} {statistic}")
                    units.append("level")
                    found.append(_reduced(Rows(windows=drawn, reference=drawn.ravel(), statistic=statistic)))
            pools.append(_pool(names, units, found, walk))
    return pools


def _drawn(quarters: list[tuple[Floats, Floats] | None], *, daily: bool, random: np.random.Generator) -> Floats:
    """Return 100 requests' lengths per hour (200 per day) from the quarter days' distributions."""
    each = 50 if daily else 600
    rows = np.array([random.choice(pair[0], each, p=pair[1]) for pair in quarters if pair is not None])
    return rows.reshape(14, 200) if daily else rows.reshape(-1, 100)


def azure(*, daily: bool) -> list[Pool]:
    """Return statistics of prompt and output tokens in neighbouring windows of 40 to 160 requests of one hour."""
    pools = []
    for n in (40, 80, 160):
        columns = [(name, rows) for name, rows in zip(("prompt", "output"), data.azure_tokens(), strict=True)]
        named: dict[str, tuple[Floats, bool]] = {f"{name} tokens": (rows, False) for name, rows in columns}
        named["prompts above 4,000"] = ((columns[0][1] > 4000).astype(float), True)
        named["outputs under 50"] = ((columns[1][1] < 50).astype(float), True)
        starts = np.arange(0, len(columns[0][1]) - n, n)
        walk = blocks(len(starts), 4 if daily else 24, n_draws=N_DRAWS)
        pools.append(_of_rows(f"azure n={n}", named, neighbours(len(columns[0][1]), starts, n), walk))
    return pools


def llmperf() -> list[Pool]:
    """Return latencies of neighbouring windows of 40 requests, per endpoint; a block is three windows of 150 rows."""
    pools = []
    for endpoint, fields in data.llmperf_latencies().items():
        size = len(fields["ttft_ms"])
        places = neighbours(size, np.arange(size), 40)
        named = {field: (rows, False) for field, rows in fields.items()}
        pools.append(_of_rows(endpoint, named, places, blocks(size, 3, 40, n_draws=N_DRAWS)))
    return pools


def arena() -> list[Pool]:
    """Return statistics of answers' texts in windows of 40 neighbours by topic, one pool per model."""
    pools = []
    for model in data.arena_answers():
        named = texts.columns(model)
        size = len(named["words"][0])
        places = neighbours(size, np.arange(size), 40)
        pools.append(_of_rows(model, named, places, blocks(size, 3, 40, n_draws=N_DRAWS)))
    return pools


def _of_rows(who: str, named: dict[str, tuple[Floats, bool]], places: Ints, walk: Walk) -> Pool:
    names: list[str] = []
    units: list[Unit] = []
    found: list[Reduced] = []
    for name, (column, is_rate) in named.items():
        reference = np.resize(column, max(len(column), evidently.LARGE_REFERENCE + 1))
        windows = column[places]
        for statistic in ("rate",) if is_rate else ("mean", "p50", "p90"):
            names.append(f"{who} {name} {statistic}")
            units.append("rate" if is_rate else "level")
            found.append(_reduced(Rows(windows=windows, reference=reference, statistic=statistic)))
    return _pool(names, units, found, walk)


def _reduced(rows: Rows) -> Reduced:
    value, variance, distance, ks = rows.reduced()
    return value, variance, np.full(len(value), rows.windows.shape[1], dtype=float), distance, ks, rows


def _pool(names: list[str], units: list[Unit], found: list[Reduced], walk: Walk) -> Pool:
    return Pool(
        names=tuple(names),
        units=tuple(units),
        values=np.array([part[0] for part in found]),
        variances=np.array([part[1] for part in found]),
        n=np.array([part[2] for part in found]).astype(np.int64),
        distance=np.array([part[3] for part in found]),
        ks=np.array([part[4] for part in found]),
        rows=tuple(part[5] for part in found),
        walk=walk,
    )
