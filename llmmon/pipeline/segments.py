"""Windows and segments cut out of the frames that metrics read."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Final

from llmmon.errors import ConfigError
from llmmon.metrics.base import WindowData
from llmmon.model import Segment, Window
from llmmon.store.frames import Frames

log = logging.getLogger(__name__)

DIMENSIONS: Final = ("route", "tenant", "language", "model", "model_version", "status", "error_type", "finish_reason")
"""Fields by which a deployment's traffic may be cut; so may ``group.<name>``."""


def check_dimension(dimension: str, *, where: str) -> None:
    """Raise `ConfigError` unless traffic can be cut by `dimension`."""
    kind, _, name = dimension.partition(".")
    if dimension not in DIMENSIONS and not (kind == "group" and name):
        raise ConfigError(f"{where}: no field {dimension!r}; expected one of {', '.join(DIMENSIONS)} or group.<name>")


def select(frames: Frames, windows: Sequence[Window], segment: Segment) -> WindowData:
    """Return the rows of some windows and one segment."""
    rows = frames.requests
    moments = rows["occurred_at"]
    inside = [(moments >= window.start) & (moments < window.end) for window in windows]
    rows = rows[reduce(or_, inside)] if inside else rows.iloc[:0]
    if segment.dimension is not None:
        column = rows.get(segment.dimension)
        rows = rows.iloc[:0] if column is None else rows[column == segment.value]
    keys = rows["request_key"]
    probes = frames.probes
    sent = probes["window_start"].isin([window.start for window in windows]) & (segment.dimension is None)
    reviews = frames.reviews
    if segment.dimension is not None:
        column = reviews.get(segment.dimension)
        reviews = reviews.iloc[:0] if column is None else reviews[column == segment.value]
    return WindowData(
        windows=tuple(windows),
        segment=segment,
        requests=rows,
        scores=frames.scores[frames.scores["request_key"].isin(keys)],
        responses=frames.responses[frames.responses["request_key"].isin(keys)],
        probes=probes[sent],
        reviews=reviews,
        anchors=frames.anchors if segment.dimension is None else frames.anchors.iloc[:0],
    )


def segments_of(frames: Frames, windows: Sequence[Window], dimensions: Sequence[str], *, most: int) -> list[Segment]:
    """Return the whole and, for each dimension, its `most` most frequent values in `windows`; ties by name."""
    found = [Segment()]
    rows = select(frames, windows, Segment()).requests
    for dimension in dimensions:
        column = rows.get(dimension)
        if column is None:
            continue
        counts = column.dropna().value_counts()
        values = [str(value) for value, _ in sorted(counts.items(), key=lambda item: (-int(item[1]), str(item[0])))]
        if len(values) > most:
            told = "%s: %d values of %s; only the %d most frequent are measured on their own"
            log.warning(told, windows[0].key, len(values), dimension, most)
        found += [Segment(dimension=dimension, value=value) for value in values[:most]]
    return found
