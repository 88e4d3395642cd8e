"""Changes to find: planted ones of several sizes, in i.i.d. and in real streams, and the real ones of dated models.

A task draws any number of independent streams of one kind, in each of which the change begins at another window. With
no change planted the same draw is the null on which peers are brought to the budget.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from benchmarks.alarms import evidently, reduce
from benchmarks.alarms.pools import Ints, Pool, Rows, Walk
from benchmarks.alarms.streams import Floats, Streams, Unit, joined

Amount = Callable[[Ints, Ints], Floats]
"""Windows since the change began and hours since a Monday 00:00 to how much of the change is there, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many streams and windows to draw.

    Parameters
    ----------
    n_streams, n_reference, n_windows : int
        Streams, reference windows and tested windows.
    starts : array of shape (n_streams,) or None
        Tested window in which the change begins; None plants none.
    seed : int
        Of everything drawn.
    """

    n_streams: int
    n_reference: int
    n_windows: int
    starts: Ints | None
    seed: int

    @property
    def hours(self) -> Ints:
        return np.arange(self.n_reference + self.n_windows)

    def amount(self, shape: Amount) -> Floats:
        """Return how much of the change is in each window, shape (n_streams, n_reference + n_windows)."""
        if self.starts is None:
            return np.zeros((self.n_streams, len(self.hours)))
        since = self.hours - self.n_reference - self.starts[:, None]
        return np.where(since >= 0, shape(np.maximum(since, 0), np.broadcast_to(self.hours, since.shape)), 0.0)


@dataclass(frozen=True, kw_only=True)
class Task:
    """Streams that change in one way.

    Parameters
    ----------
    name : str
        As printed.
    draw : callable
        Plan to streams.
    unchanged : str
        Names the streams without the change; tasks that share it draw the same ones.
    changes : bool
        False when the two versions are alike and an alarm is a false one.
    """

    name: str
    draw: Callable[[Plan], Streams]
    unchanged: str
    changes: bool = True


def at_once(since: Ints, hours: Ints) -> Floats:
    """Return a change that is whole from its first window on."""
    del hours
    return np.ones(since.shape)


def at_three(since: Ints, hours: Ints) -> Floats:
    """Return a change that is there from 3 to 4 in the morning only."""
    del since
    return (hours % 24 == 3).astype(float)


def ramp(since: Ints, hours: Ints) -> Floats:
    """Return a change that grows to its whole size in two weeks."""
    del hours
    return np.minimum((since + 1) / 336, 1.0)


def rate(name: str, *, before: float, after: float, n: int, shape: Amount = at_once) -> Task:
    """Return a task on the share of `n` i.i.d. rows."""

    def draw(plan: Plan) -> Streams:
        random = np.random.default_rng([plan.seed, 1])
        share = before + (after - before) * plan.amount(shape)
        value, variance = reduce.rates(random.binomial(n, share), n)
        references = value[:, : plan.n_reference].mean(axis=1)
        sizes = {"n": n, "n_reference_rows": n * plan.n_reference}
        distance = np.array(
            [evidently.of_rates(row, float(level), **sizes) for row, level in zip(value, references, strict=True)]
        )
        return _streams(plan, value, variance, n, distance, np.full(value.shape, np.nan), unit="rate")

    return Task(name=name, draw=draw, unchanged=f"rate {before:g} of {n}")


def mean(name: str, *, shift: float = 0.0, spread: float = 1.0, n: int = 20, shape: Amount = at_once) -> Task:
    """Return a task on the mean of `n` i.i.d. normal rows; `shift` in standard deviations of the windows' means."""

    def draw(plan: Plan) -> Streams:
        random = np.random.default_rng([plan.seed, 2])
        parts = []
        for amount in plan.amount(shape):
            rows = random.standard_normal((len(amount), n))
            rows *= (1 + (spread - 1) * amount)[:, None]
            rows += (shift / np.sqrt(n) * amount)[:, None]
            value, variance = reduce.means(rows + 10)
            ordered, reference = np.sort(rows, axis=1), rows[: plan.n_reference].ravel()
            ks = reduce.ks_distances(ordered, reference, n_own=plan.n_reference)
            parts.append((value, variance, evidently.of_rows(ordered, reference), ks))
        value, variance, distance, ks = (np.array(part) for part in zip(*parts, strict=True))
        return _streams(plan, value, variance, n, distance, ks, unit="level")

    return Task(name=name, draw=draw, unchanged=f"mean of {n}")


def _streams(
    plan: Plan, value: Floats, variance: Floats, n: int, distance: Floats, ks: Floats, *, unit: Unit
) -> Streams:
    return Streams(
        values=value,
        variances=variance,
        n=np.full(value.shape, n),
        hours=plan.hours,
        n_reference=plan.n_reference,
        names=("",) * len(value),
        units=(unit,) * len(value),
        distance=distance,
        ks=ks,
    )


@dataclass(frozen=True, kw_only=True)
class Side:
    """Windows before or after a change, one per place of a pool."""

    values: Floats
    variances: Floats
    n: npt.NDArray[np.int64]
    distance: Floats
    ks: Floats


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The same places of a pool before and after a change."""

    before: Side
    after: Side
    walk: Walk
    unit: Unit


def real(
    name: str, pairs: Callable[[], list[Pair]], unchanged: str, *, shape: Amount = at_once, changes: bool = True
) -> Task:
    """Return a task whose streams walk through pools of real windows, one pair after the other."""

    def draw(plan: Plan) -> Streams:
        random = np.random.default_rng([plan.seed, 3])
        found, parts = pairs(), []
        amount = plan.amount(shape)
        for row in range(plan.n_streams):
            pair = found[row % len(found)]
            walk = pair.walk(len(plan.hours), random)
            changed = amount[row] > 0
            sides = [
                np.where(changed, getattr(pair.after, part)[walk], getattr(pair.before, part)[walk])[None]
                for part in ("values", "variances", "n", "distance", "ks")
            ]
            one = replace(plan, n_streams=1)
            streams = _streams(one, sides[0], sides[1], 0, sides[3], sides[4], unit=pair.unit)
            parts.append(replace(streams, n=sides[2].astype(np.int64)))
        return joined(parts)

    return Task(name=name, draw=draw, unchanged=unchanged, changes=changes)


def planted(pool: Pool, index: int, factor: float, shift: float) -> Pair:
    """Return statistic `index` of a pool with its rows times `factor` plus `shift`; its values where it has no rows."""
    before = Side(
        values=pool.values[index],
        variances=pool.variances[index],
        n=pool.n[index],
        distance=pool.distance[index],
        ks=pool.ks[index],
    )
    rows = pool.rows[index]
    if rows is None:  # counts: half the traffic has half the variance
        after = replace(before, values=factor * before.values + shift, variances=factor * before.variances)
    else:
        value, variance, distance, ks = rows.reduced(factor * rows.windows + shift)
        after = Side(values=value, variances=variance, n=before.n, distance=distance, ks=ks)
    return Pair(before=before, after=after, walk=pool.walk, unit=pool.units[index])


def of_rows(before: Floats, after: Floats, *, statistic: str, n: int, places: tuple[Ints, Ints], walk: Walk) -> Pair:
    """Return windows of `n` rows of one version and then of another; `places` are the rows of each window."""
    reference = np.resize(before, max(len(before), evidently.LARGE_REFERENCE + 1))
    sides = []
    for rows, chosen in zip((before, after), places, strict=True):
        value, variance, distance, ks = Rows(windows=rows[chosen], reference=reference, statistic=statistic).reduced()
        sides.append(Side(values=value, variances=variance, n=np.full(len(value), n), distance=distance, ks=ks))
    return Pair(before=sides[0], after=sides[1], walk=walk, unit="rate" if statistic == "rate" else "level")
