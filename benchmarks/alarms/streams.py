"""Streams of one deployment as arrays, and i.i.d. streams in which nothing changes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from benchmarks.alarms import evidently, reduce

Floats = npt.NDArray[np.float64]
Unit = Literal["rate", "level", "distance"]


@dataclass(frozen=True, kw_only=True)
class Streams:
    """Windows of many streams; no window is absent.

    Parameters
    ----------
    values, variances : array of shape (n_streams, n_windows)
        Value of each window and the squared standard error inside it.
    n : array of shape (n_streams, n_windows)
        Rows behind each value.
    hours : array of shape (n_windows,)
        Start of each window in hours since a Monday 00:00.
    n_reference : int
        How many windows at the front are the reference, which no rule may raise an alarm in.
    names : sequence of str
        What each stream measures.
    units : sequence of {"rate", "level", "distance"}
        A rate and a distance lie in [0, 1].
    distance : array or None
        Evidently's score of the window's rows against the reference's, 1 at its threshold; NaN without rows.
    ks : array or None
        The Kolmogorov-Smirnov distance of the window's rows to the reference's; NaN without rows, and for a rate.
    """

    values: Floats
    variances: Floats
    n: npt.NDArray[np.int64]
    hours: npt.NDArray[np.int64]
    n_reference: int
    names: tuple[str, ...] = ()
    units: tuple[Unit, ...] = ()
    distance: Floats | None = field(default=None, repr=False)
    ks: Floats | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        return self.values.shape[0], self.values.shape[1]

    @property
    def reference(self) -> Floats:
        """The reference windows' values."""
        return self.values[:, : self.n_reference]

    def min_effect(self) -> Floats:
        """Smallest change worth waking someone for, of shape (n_streams,).

        0.02 of a rate, 0.05 of a distance, a tenth of another level.
        """
        level = np.abs(self.reference.mean(axis=1)) / 10
        fixed = {"rate": 0.02, "distance": 0.05}
        return np.array([fixed.get(unit, own) for unit, own in zip(self.units, level.tolist(), strict=True)])

    @property
    def has_ks(self) -> npt.NDArray[np.bool_]:
        """Which streams have rows to take distances of."""
        return np.zeros(self.shape[0], dtype=bool) if self.ks is None else np.isfinite(self.ks).all(axis=1)

    def distances(self) -> Self | None:
        """Return the streams of KS distances that stand beside those with rows; None without any."""
        if self.ks is None:
            return None
        has = self.has_ks
        if not has.any():
            return None
        n = self.n[has]
        variances = reduce.ks_variances(self.ks[has], n, int(n[0, 0]) * self.n_reference)  # type: ignore[arg-type]
        return replace(
            self,
            values=self.ks[has],
            variances=variances,
            n=n,
            names=tuple(f"{name}, ks" for name, here in zip(self.names, has, strict=True) if here),
            units=("distance",) * int(has.sum()),
            distance=None,
            ks=None,
        )

    def top(self, most: int | None) -> Self:
        """Return the first `most` streams; all when it is None."""
        if most is None or most >= self.shape[0]:
            return self
        return replace(
            self,
            values=self.values[:most],
            variances=self.variances[:most],
            n=self.n[:most],
            names=self.names[:most],
            units=self.units[:most],
            distance=None if self.distance is None else self.distance[:most],
            ks=None if self.ks is None else self.ks[:most],
        )


def joined(parts: list[Streams]) -> Streams:
    """Put streams of the same windows into one deployment."""
    first = parts[0]
    distances, ks = (
        np.concatenate(
            [np.full(part.shape, np.nan) if own is None else own for part, own in zip(parts, each, strict=True)]
        )
        for each in ([part.distance for part in parts], [part.ks for part in parts])
    )
    return Streams(
        values=np.concatenate([part.values for part in parts]),
        variances=np.concatenate([part.variances for part in parts]),
        n=np.concatenate([part.n for part in parts]),
        hours=first.hours,
        n_reference=first.n_reference,
        names=tuple(name for part in parts for name in part.names),
        units=tuple(unit for part in parts for unit in part.units),
        distance=distances,
        ks=ks,
    )


def iid_streams(
    n_streams: int, n_windows: int, n_reference: int, *, step_hours: int, random: np.random.Generator
) -> Streams:
    """Return a deployment of rates, means and quantiles of several sizes whose rows are all i.i.d.

    Half of the streams are rates (2% to 90% of 20 to 1,000 rows), three tenths means of 20 or 40 normal, exponential
    or heavy-tailed (t with 3 degrees of freedom) rows, the rest medians and 90% quantiles of 50 lognormal rows.
    """
    width = n_reference + n_windows
    hours = np.arange(width) * step_hours
    parts = [
        _one_iid(index % 10, index // 10, width, n_reference, hours=hours, random=random) for index in range(n_streams)
    ]
    return joined(parts)


def _one_iid(
    slot: int, turn: int, width: int, n_reference: int, *, hours: npt.NDArray[np.int64], random: np.random.Generator
) -> Streams:
    unit: Unit = "level"
    ks = np.full(width, np.nan)
    if slot < 5:
        share = (0.02, 0.05, 0.2, 0.5, 0.9)[slot]
        n = (20, 50, 200, 1000)[turn % 4]
        unit, name = "rate", f"rate {share:g} of {n}"
        value, variance = reduce.rates(random.binomial(n, share, width), n)
        distance = evidently.of_rates(value, float(value[:n_reference].mean()), n=n, n_reference_rows=n * n_reference)
    elif slot < 8:
        n = (20, 40)[turn % 2]
        rows = (random.standard_normal, random.standard_exponential, lambda size: random.standard_t(3, size))[slot - 5](
            (width, n)
        )
        name = f"mean of {n} {('normal', 'exponential', 't3')[slot - 5]}"
        value, variance = reduce.means(rows + 5)
        ordered, reference = np.sort(rows, axis=1), rows[:n_reference].ravel()
        distance, ks = evidently.of_rows(ordered, reference), reduce.ks_distances(ordered, reference, n_own=n_reference)
    else:
        n, quantile = 50, (0.5, 0.9)[slot - 8]
        rows = np.sort(random.lognormal(0.0, 1.0, (width, n)), axis=1)
        name = f"p{quantile * 100:.0f} of {n} lognormal"
        value, variance = reduce.quantiles(rows, quantile)
        reference = rows[:n_reference].ravel()
        distance, ks = evidently.of_rows(rows, reference), reduce.ks_distances(rows, reference, n_own=n_reference)
    return Streams(
        values=value[None],
        variances=variance[None],
        n=np.full((1, width), n),
        hours=hours,
        n_reference=n_reference,
        names=(name,),
        units=(unit,),
        distance=distance[None],
        ks=ks[None],
    )
