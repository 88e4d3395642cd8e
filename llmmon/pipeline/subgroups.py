r"""Which segments carry a change: a search over all slices and pairs of slices, with a correction of its own.

Let :math:`m_{tg}` be the mean of segment g in the reference windows (t = 0) and in the current ones (t = 1), and
:math:`p_{tg}` its part of the requests. Over the values of one field the shift of the mean is the sum of what each
segment contributes,

.. math:: m_1 - m_0 = \sum_g p_{1g} (m_{1g} - m_{0g}) + \sum_g (p_{1g} - p_{0g}) (m_{0g} - m_0),

its answers having changed, and its part of the traffic having changed. Two questions are asked of each candidate:

- answers: does it shift otherwise than all the other requests,
  :math:`(m_{1g} - m_{0g}) - (m_{1,-g} - m_{0,-g}) = 0`? Student's t with Welch's degrees of freedom;
- traffic: is its part of the requests the same, :math:`p_{1g} = p_{0g}`? Two proportions with a pooled error.

A change that is the same everywhere is no finding: then no segment carries it. Candidates overlap, so the p-values
depend on each other; Holm's correction over all questions holds under any dependence: the chance that one segment is
named wrongly is at most 5%, however many were looked at. A candidate needs `MIN_SUPPORT` requests inside and outside it
on both sides; for the second question one side is enough inside. Of a segment and a part of it only the one that stands
out more is named, and of two that are the same requests the simpler one. A carrier also has to contribute `MIN_PART` of
the shift.

Assumed: requests are independent. The search explains a change that a detector has found; it raises no alarm.

References
----------
S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.
Y. Chung et al., "Slice Finder: automated data slicing for model validation", ICDE 2019.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from llmmon.metrics.intervals import Floats
from llmmon.pipeline.cell_sums import CellSums

MIN_SUPPORT: Final = 20
MAX_VALUES: Final = 30
"""Values of one field that become candidates, the most frequent first; logs may hold endlessly many."""
ALPHA: Final = 0.05
MIN_PART: Final = 0.1
"""Part of the shift that a segment must contribute to be named."""
MAX_CARRIERS: Final = 5
_NONE: Final = ""

How = Literal["answers", "traffic"]
Slice = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sliced:
    """One side: a value per request and the fields that requests may be cut by.

    Parameters
    ----------
    value, weight : array of float
        Value and 1 / inclusion probability.
    fields : mapping of str to array of str
        One array per field, an empty text where a request has no value.
    """

    value: Floats
    weight: Floats
    fields: Mapping[str, npt.NDArray[np.str_]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Carrier:
    """A segment that carries a change.

    Parameters
    ----------
    segment : tuple of (field, value)
        One or two.
    how : str
        ``answers`` when they changed in it more than elsewhere, ``traffic`` when its part of the requests changed.
    before, now : float
        Mean of the value in it or, for ``traffic``, its part of the requests.
    low, high : float
        95% interval of the difference of the two, uncorrected.
    contribution : float
        Part of the whole shift that comes from it in this way; parts of overlapping segments do not add up.
    p_value : float
        Corrected for the search.
    """

    segment: Slice
    how: How
    n_reference: int
    n_current: int
    before: float
    now: float
    low: float
    high: float
    contribution: float
    p_value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """What the search looked at and found, what stands out most first."""

    n_candidates: int
    carriers: tuple[Carrier, ...]


@dataclass(frozen=True, slots=True)
class _Question:
    segment: Slice
    how: How
    counts: tuple[int, int]
    before: float
    now: float
    half: float
    contribution: float
    statistic: float
    p_value: float


def search(before: Sliced, now: Sliced) -> Search:
    """Return the segments that carry the shift of the mean from `before` to `now`; see the module for the method."""
    if min(len(before.value), len(now.value)) < 2 * MIN_SUPPORT:
        return Search(n_candidates=0, carriers=())
    names = sorted(before.fields.keys() & now.fields.keys())
    shift = float(np.average(now.value, weights=now.weight) - np.average(before.value, weights=before.weight))
    asked = [
        question
        for chosen in (*((name,) for name in names), *combinations(names, 2))
        for question in _questions(chosen, before, now, shift)
    ]
    adjusted = _holm([question.p_value for question in asked])
    told = [
        (question, p_value)
        for question, p_value in zip(asked, adjusted, strict=True)
        if p_value <= ALPHA and question.contribution >= MIN_PART
    ]
    ranked: list[tuple[_Question, float]] = []
    for question, p_value in sorted(told, key=lambda item: (-abs(item[0].statistic), len(item[0].segment))):
        if not any(_repeats(question, stronger) for stronger, _ in ranked):
            ranked.append((question, p_value))
    return Search(
        n_candidates=len({question.segment for question in asked}),
        carriers=tuple(_carrier(question, p_value) for question, p_value in ranked[:MAX_CARRIERS]),
    )


def _repeats(question: _Question, stronger: _Question) -> bool:
    """Return whether a stronger finding tells the same: a part of this segment, a wider one, or the same requests."""
    if question.how != stronger.how:
        return False
    mine, theirs = set(question.segment), set(stronger.segment)
    alike = (question.counts, round(question.before, 9), round(question.now, 9))
    return (
        mine <= theirs
        or theirs <= mine
        or alike == (stronger.counts, round(stronger.before, 9), round(stronger.now, 9))
    )


def _questions(chosen: tuple[str, ...], before: Sliced, now: Sliced, shift: float) -> Iterator[_Question]:
    values, codes = _cells(chosen, before, now)
    if not values:
        return
    middle = float(np.average(before.value, weights=before.weight))
    span = float(np.ptp(np.concatenate([before.value, now.value])))
    sums = [
        CellSums.of(side.value - middle, side.weight, code, len(values))
        for side, code in zip((before, now), codes, strict=True)
    ]
    rest = [side.rest() for side in sums]
    parts = [side.part for side in sums]
    from scipy.special import ndtr, stdtr, stdtrit

    means, errors, degrees = zip(*(side.mean(span) for side in (*sums, *rest)), strict=True)
    with np.errstate(divide="ignore", invalid="ignore"):  # cells without requests are not asked about
        inner = means[1] - means[0]
        gap = inner - (means[3] - means[2])
        variance = sum(errors)
        freedom = variance**2 / sum(error**2 / n for error, n in zip(errors, degrees, strict=True))
        t = np.where(variance > 0, gap / np.sqrt(variance), 0.0)
        own = errors[0] + errors[1]
        own_freedom = own**2 / (errors[0] ** 2 / degrees[0] + errors[1] ** 2 / degrees[1])
        size = [side.size_of_all for side in sums]
        pooled = (parts[0] * size[0] + parts[1] * size[1]) / sum(size)
        z = (parts[1] - parts[0]) / np.sqrt(pooled * (1 - pooled) * (1 / size[0] + 1 / size[1]))
    half = stdtrit(np.where(own_freedom > 0, own_freedom, 1.0), 0.975) * np.sqrt(own)
    mix_half = 1.959963984540054 * np.sqrt(sum(p * (1 - p) / n for p, n in zip(parts, size, strict=True)))
    enough = np.minimum(sums[0].n, sums[1].n) >= MIN_SUPPORT
    others = np.minimum(rest[0].n, rest[1].n) >= MIN_SUPPORT
    for index, value in enumerate(values):
        counts = (int(sums[0].n[index]), int(sums[1].n[index]))
        segment = tuple(zip(chosen, value, strict=True))
        if enough[index] and others[index]:
            part = float(parts[1][index] * inner[index]) / shift if shift else 0.0
            yield _Question(
                segment, "answers", counts, middle + float(means[0][index]), middle + float(means[1][index]),
                float(half[index]), part, float(t[index]), 2 * float(stdtr(freedom[index], -abs(t[index])))
            )  # fmt: skip
        if others[index] and max(counts) >= MIN_SUPPORT:
            # a segment that is new has no level of its own before: its requests differ from all before
            level = means[0][index] if counts[0] else means[1][index]
            part = float((parts[1] - parts[0])[index] * level) / shift if shift else 0.0
            yield _Question(
                segment, "traffic", counts, float(parts[0][index]), float(parts[1][index]), float(mix_half[index]),
                part, float(z[index]), 2 * float(ndtr(-abs(z[index])))
            )  # fmt: skip


def _cells(chosen: tuple[str, ...], before: Sliced, now: Sliced) -> tuple[list[tuple[str, ...]], list[Any]]:
    """Return the values of one or two fields that may be candidates, and each request's; -1 where it has none."""
    values: list[tuple[str, ...]] = [()]
    codes = [np.zeros(len(side.value), dtype=np.intp) for side in (before, now)]
    for name in chosen:
        columns = [side.fields[name] for side in (before, now)]
        found, counts = np.unique(np.concatenate(columns), return_counts=True)
        kept = [
            str(found[index])
            for index in sorted(range(len(found)), key=lambda i: (-int(counts[i]), str(found[i])))
            if counts[index] >= MIN_SUPPORT and found[index] != _NONE
        ][:MAX_VALUES]
        place = {value: index for index, value in enumerate(kept)}
        own = [np.array([place.get(str(value), -1) for value in column], dtype=np.intp) for column in columns]
        codes = [
            np.where((old < 0) | (new < 0), -1, old * len(kept) + new) for old, new in zip(codes, own, strict=True)
        ]
        values = [(*value, other) for value in values for other in kept]
    return values, codes


def _holm(p_values: list[float]) -> list[float]:
    """Return Holm's adjusted p-values."""
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _carrier(question: _Question, p_value: float) -> Carrier:
    change = question.now - question.before
    return Carrier(
        segment=question.segment,
        how=question.how,
        n_reference=question.counts[0],
        n_current=question.counts[1],
        before=question.before,
        now=question.now,
        low=change - question.half,
        high=change + question.half,
        contribution=question.contribution,
        p_value=p_value,
    )
