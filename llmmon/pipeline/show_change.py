"""Which segments and which requests show a change best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from llmmon.metrics.base import Metric, WindowData
from llmmon.metrics.columns import CATEGORIES
from llmmon.pipeline.request_values import NoReading, Reading
from llmmon.pipeline.segments import DIMENSIONS
from llmmon.pipeline.subgroups import Carrier, Search, Sliced, search

N_SHOWN: Final = 5


def fields_of(before: WindowData, now: WindowData) -> list[str]:
    """Return the fields by which both sides can be cut: those of segments, and every group attribute."""
    known = [str(name) for name in now.requests.columns if name in before.requests]
    return [name for name in known if name in DIMENSIONS or name.startswith("group.")]


def searched(reading: Reading, before: WindowData, now: WindowData, fields: Sequence[str]) -> Search:
    """Search the segments that carry the shift of what `reading` reads on the monitor's lane."""
    return search(*(_sliced(reading, side, fields) for side in (before, now)))


def telling(
    metric: Metric,
    reading: Reading | NoReading,
    found: Search | None,
    before: WindowData,
    now: WindowData,
    *,
    rose: bool,
) -> list[int]:
    """Return up to five current requests that show the change best, the most extreme first and ties by key.

    They lie in the segment that stands out most, where there is one. A metric of how requests are spread over
    categories is shown by requests of the category whose part rose most.
    """
    if isinstance(reading, NoReading):
        field = getattr(metric, "field", None)
        return _of_grown_category(field, before, now) if field in CATEGORIES else []
    values = reading.observed(now)
    if found is not None and found.carriers:
        inside = _inside(now, found.carriers[0])
        values = values[values.index.isin(inside)]
    if getattr(metric, "needs_reference", False):  # a distance rises whichever way the values go
        rose = bool(reading.observed(now).mean() >= reading.observed(before).mean())
    order = np.lexsort((values.index.to_numpy(), -values.to_numpy() if rose else values.to_numpy()))
    return [int(values.index[i]) for i in order[:N_SHOWN]]


def _of_grown_category(field: str, before: WindowData, now: WindowData) -> list[int]:
    parts = [side.requests[field].dropna().value_counts(normalize=True) for side in (before, now)]
    growth = parts[1].sub(parts[0], fill_value=0.0)
    if growth.empty:
        return []
    grown = min(growth[growth == growth.max()].index)
    return [int(key) for key in now.requests.loc[now.requests[field] == grown, "request_key"].sort_values()[:N_SHOWN]]


def _inside(data: WindowData, carrier: Carrier) -> set[int]:
    rows = data.requests
    for name, value in carrier.segment:
        rows = rows[rows[name] == value]
    return set(rows["request_key"])


def _sliced(reading: Reading, data: WindowData, fields: Sequence[str]) -> Sliced:
    values = reading.observed(data)
    rows = data.requests.set_index("request_key").reindex(values.index)
    weights = np.ones(len(values))
    if reading.scorer is not None:
        judged = data.scores[(data.scores["scorer"] == reading.scorer) & (data.scores["lane"] == reading.lane)]
        weights = (
            judged.groupby("request_key")["weight"].first().reindex(values.index).fillna(1.0).to_numpy(dtype=float)
        )
    return Sliced(
        value=np.asarray(values, dtype=np.float64),
        weight=weights,
        fields={name: rows[name].fillna("").astype(str).to_numpy(dtype=np.str_) for name in fields},
    )
