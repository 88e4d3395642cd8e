"""Streams of measurements for the detector tests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from llmmon.model import Estimate, Measurement, Window

START = datetime(2023, 6, 27, 5, tzinfo=UTC)


def stream(values: Iterable[float | None], *, half_width: float | None = None) -> list[Measurement]:
    """Return one measurement an hour; `half_width` is that of every 95% interval."""
    return [
        Measurement(
            deployment="chat",
            monitor="refusals",
            segment="all",
            window=Window(start=START + timedelta(hours=hour), end=START + timedelta(hours=hour + 1)),
            unit="share",
            estimate=Estimate.absent("no requests")
            if value is None
            else Estimate(
                value=value,
                n=100,
                low=None if half_width is None else value - half_width,
                high=None if half_width is None else value + half_width,
            ),
        )
        for hour, value in enumerate(values)
    ]
