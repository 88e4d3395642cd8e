"""Which requests an alert shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmmon.config import Config
from llmmon.model import Segment
from llmmon.pipeline.ingest import ingest_source
from llmmon.store.alert import telling_requests
from llmmon.store.database import Database
from tests.integration.alarms.measured import window


@pytest.mark.parametrize(
    ("segment", "metric", "rose", "expected"),
    [
        (Segment(), "latency_quantile", True, [9, 8, 7, 6, 5]),
        (Segment(), "latency_quantile", False, [0, 1, 2, 3, 4]),
        (Segment(dimension="route", value="even"), "latency_quantile", True, [8, 6, 4, 2, 0]),
        (Segment(dimension="group.age", value="old"), "latency_quantile", True, [1, 0]),
        (Segment(), "cost", True, []),
        (Segment(), "volume", True, []),
    ],
)
def test_the_most_extreme_requests_of_the_segment_are_shown(
    database: Database,
    config: Callable[..., Config],
    jsonl: Callable[..., Path],
    line: Callable[..., dict[str, Any]],
    segment: Segment,
    metric: str,
    rose: bool,
    expected: list[int],
) -> None:
    """Up to five requests, furthest first in the direction of the change; none where nothing is logged to go by."""
    jsonl([line(i, route=("even", "odd")[i % 2], groups={"age": "old" if i < 2 else "young"}) for i in range(10)])
    ingest_source(database, config(), "logs")

    with database.transaction() as connection:
        keys = telling_requests(connection, "assistant", window(0), segment, metric=metric, parameters={}, rose=rose)
        rows = connection.exec_driver_sql("SELECT request_key, request_id FROM llmmon.request_log").all()

    ids = {row.request_key: row.request_id for row in rows}
    assert [ids[key] for key in keys] == [f"req-{number}" for number in expected]
