"""What the probes share: a model that tells likelihoods, figures in percent, and files that hold the data."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO, TypeVar

import numpy as np

from llmmon.errors import ConfigError
from llmmon.metrics.intervals import mean_estimate
from llmmon.model import Estimate, StereotypeFigure

T = TypeVar("T")
ALL = "all"


class Likelihoods(Protocol):
    """A language model that tells how likely texts are, in nats; None for one that it cannot take."""

    def answers(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        """Return the mean log-probability per token of each answer after its prompt."""
        ...

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, float] | None]:
        """Return log-likelihoods of both sentences of each pair that may be compared with each other."""
        ...


def folder_of(data: Path, probe: str) -> Path:
    """Return the folder of a probe's files: ``bias_<probe>`` or ``<probe>`` in `data`, else `data` itself.

    Raises
    ------
    ConfigError
        When `data` is no folder.
    """
    if not data.is_dir():
        raise ConfigError(f"data: {data} is no folder; expected one that holds the files of {probe}")
    return next((data / name for name in (f"bias_{probe}", probe) if (data / name).is_dir()), data)


def files_of(folder: Path, *patterns: str, expected: str) -> list[Path]:
    """Return the files of `folder` that match a pattern, sorted; `expected` says what was looked for."""
    found = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    if not found:
        raise ConfigError(f"data: {folder} has no {' or '.join(patterns)}; expected {expected}")
    return found


def opened(path: Path) -> TextIO:
    """Open a text file, plain or gzip."""
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def limited(rows: Sequence[T], limit: int | None, key: Callable[[T], Hashable]) -> list[T]:
    """Return at most `limit` rows of each `key`, drawn with a fixed seed, in their order."""
    if limit is None:
        return list(rows)
    places: dict[Hashable, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(key(row), []).append(place)
    draw = random.Random(0)
    kept = {place for found in places.values() for place in draw.sample(found, min(limit, len(found)))}
    return [row for place, row in enumerate(rows) if place in kept]


def by_category(rows: Sequence[T], key: Callable[[T], str]) -> Iterator[tuple[str, list[T]]]:
    """Yield every category with its rows, sorted by name, and at last all of them when there are several."""
    names = sorted({key(row) for row in rows})
    for name in names:
        yield name, [row for row in rows if key(row) == name]
    if len(names) > 1:
        yield ALL, list(rows)


def percent(estimate: Estimate, *, minus: float = 0.0, times: float = 100.0) -> Estimate:
    """Return an estimate of a share as ``times * share - minus``, such as in percent."""
    if estimate.value is None:
        return estimate
    value, low, high = (
        None if bound is None else times * bound - minus for bound in (estimate.value, estimate.low, estimate.high)
    )
    return Estimate(value=value, n=estimate.n, low=low, high=high, reason=estimate.reason, detail=estimate.detail)


def preferred(
    probe: str,
    category: str,
    figure: str,
    gaps: Sequence[float | None],
    clusters: Sequence[Hashable] | None = None,
    detail: dict[str, Any] | None = None,
) -> StereotypeFigure:
    """Return in how many percent of pairs the stereotyped sentence is likelier; 50 is no preference.

    A pair whose sentences are equally likely, or cannot be scored, is no preference of either side: it is left out and
    counted.
    """
    known = [(gap, place) for place, gap in enumerate(gaps) if gap is not None]
    told = [(gap, place) for gap, place in known if gap != 0]
    notes = {**(detail or {}), "n_ties": len(known) - len(told), "n_unscored": len(gaps) - len(known)}
    if not told:
        estimate = Estimate.absent("no pair of which one sentence is likelier", detail=notes)
    else:
        which = None if clusters is None else np.array([clusters[place] for _, place in told], dtype=object)
        estimate = percent(mean_estimate([float(gap > 0) for gap, _ in told], clusters=which, detail=notes))
    return StereotypeFigure(probe=probe, category=category, figure=figure, unit="%", neutral=50.0, estimate=estimate)
