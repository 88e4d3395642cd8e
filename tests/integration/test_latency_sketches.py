"""Sketches of latencies on a real Postgres: exact counts, quantiles within 1%, late rows, days and retention."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmmon.config import Config
from llmmon.errors import ConfigError
from llmmon.model import Window
from llmmon.pipeline.draw_sample import draw_sample
from llmmon.pipeline.ingest import finish_ingest, ingest_source
from llmmon.pipeline.maintain import maintain
from llmmon.pipeline.measure import measure
from llmmon.pipeline.roll_up import RollUpResult, roll_up
from llmmon.pipeline.score_responses import score_responses
from llmmon.store.database import Database

TOML = """
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl*"}
[deployments.assistant]
source = "logs"
[deployments.assistant.slos]
fast = {objective = 0.9, days = 7, limit_ms = 1000}
chat = {objective = 0.5, days = 7, limit_ms = 1000, segment = "route=chat", fails_count = false}
[deployments.assistant.monitors]
broken = {metric = {type = "slo_bad_share", limit_ms = 1000}, min_effect = 0.01}
"""
FIVE = Window.parse("2023-06-27T05:00", hours=1)
NEXT_DAY = datetime(2023, 6, 28, 1, tzinfo=UTC)


def window(number: int) -> Window:
    """Return the `number`-th window from five o'clock."""
    return Window(start=FIVE.start + timedelta(hours=number), end=FIVE.end + timedelta(hours=number))


def lines(line: Callable[..., dict[str, Any]], number: int, n: int) -> list[dict[str, Any]]:
    """Return the log of one window: one request in twenty failed, one in ten has no latency."""
    random = np.random.default_rng(number)
    rows = []
    for index in range(n):
        moment = window(number).start + timedelta(seconds=3000 * index / n)
        row = line(
            number * 10_000 + index,
            timestamp=moment.isoformat(),
            route="chat" if index % 3 else "code",
            latency_ms=None if index % 10 == 5 else float(random.lognormal(6, 1.2)),
            ttft_ms=float(random.lognormal(4, 1)),
        )
        if index % 20 == 3:
            row |= {"response": None, "error": {"type": "timeout", "message": "none"}, "latency_ms": 60_000.0}
        rows.append(row)
    return rows


def run(database: Database, settings: Config, number: int) -> None:
    """Take one window through the stages."""
    for stage in (finish_ingest, draw_sample, score_responses, measure):
        stage(database, settings, "assistant", window(number))


def ask(database: Database, query: str) -> list[tuple[Any, ...]]:
    """Run a query of the test's own."""
    with database.transaction() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query).all()]


@pytest.fixture
def measured(
    database: Database, config: Callable[..., Config], jsonl: Callable[..., Path], line: Callable[..., dict[str, Any]]
) -> Config:
    """Three measured windows of 300, 100 and 5 requests."""
    jsonl([row for number, n in enumerate((300, 100, 5)) for row in lines(line, number, n)])
    settings = config(TOML)
    ingest_source(database, settings, "logs")
    for number in range(3):
        run(database, settings, number)
    return settings


EXACT = """
SELECT {segment}, count(*), count(*) FILTER (WHERE status = 'error'), count(latency_ms) FILTER (WHERE status = 'ok'),
       percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]) WITHIN GROUP (ORDER BY latency_ms) FILTER (WHERE status = 'ok')
  FROM llmmon.request_log
 GROUP BY 1
"""


def test_quantiles_of_any_stretch_are_within_one_percent_of_the_rows(database: Database, measured: Config) -> None:
    """For the whole and each route, counts are those of the rows and each quantile within 1% of percentile_cont."""
    exact = ask(database, EXACT.format(segment="'all'")) + ask(database, EXACT.format(segment="'route=' || route"))
    found = {
        row[0]: row[1:]
        for row in ask(
            database,
            "SELECT segment, n + n_failed + n_missing, n_failed, n, ARRAY[p50, p90, p95, p99], n_windows"
            "  FROM llmmon.latency_quantiles('assistant', '2023-06-27 05:00Z', '2023-06-27 08:00Z')"
            " WHERE field = 'latency_ms'",
        )
    }
    assert {"all", "route=chat", "route=code", "model=gpt-4"} <= set(found)
    assert len(exact) == 3
    for segment, n_requests, n_failed, n, quantiles in exact:
        assert found[segment][:3] == (n_requests, n_failed, n)
        assert found[segment][3] == pytest.approx(quantiles, rel=0.01)
        assert found[segment][4] == 3
    hour = "llmmon.latency_quantiles('assistant', '2023-06-27 06:00Z', '2023-06-27 07:00Z', 'all')"
    assert ask(database, f"SELECT field, n_windows, n + n_failed + n_missing FROM {hour} WHERE field = 'ttft_ms'") == [
        ("ttft_ms", 1, 100)
    ]


def test_measuring_again_changes_nothing_and_late_rows_replace_the_sketch(
    database: Database, measured: Config, jsonl: Callable[..., Path], line: Callable[..., dict[str, Any]]
) -> None:
    """A window has one sketch, of the rows that are there when it is measured."""
    sketches = "SELECT segment, field, n_requests, n, counts FROM llmmon.latency_sketch ORDER BY window_start, 1, 2"
    before = ask(database, sketches)
    run(database, measured, 0)
    assert ask(database, sketches) == before
    late = line(99_999, timestamp="2023-06-27T05:59:00+00:00", route="late", latency_ms=50.0)
    jsonl([late], name="late.jsonl")
    ingest_source(database, measured, "logs")
    run(database, measured, 0)
    after = ask(database, sketches)
    assert ("all", "latency_ms", 301) in [row[:3] for row in after]
    assert ("route=late", "latency_ms", 1) in [row[:3] for row in after]
    assert len(after) == len(before) + 4


def test_objectives_agree_with_the_metric_and_the_rows(database: Database, measured: Config) -> None:
    """What the view calls bad is what the metric calls bad; objectives that left the configuration leave the view."""
    status = "SELECT slo, n::integer, n_bad::integer, n_unknown::integer FROM compliance.slo_status"
    found = {row[0]: row[1:] for row in ask(database, status)}
    measurements = ask(
        database,
        "SELECT sum(n)::integer, round(sum(n * value))::integer, sum((detail ->> 'n_unknown')::integer)::integer"
        "  FROM llmmon.measurement_latest WHERE monitor = 'broken'",
    )
    assert [found["fast"]] == measurements
    rows = ask(
        database,
        "SELECT count(latency_ms), count(*) FILTER (WHERE latency_ms > 1000) FROM llmmon.request_log"
        " WHERE status = 'ok' AND route = 'chat'",
    )
    assert found["chat"][0] == rows[0][0]
    assert abs(found["chat"][1] - rows[0][1]) <= 2  # within 2% of the limit
    fewer = measured.deployments["assistant"].model_copy(update={"slos": {}})
    measure(database, measured.model_copy(update={"deployments": {"assistant": fewer}}), "assistant", window(0))
    assert ask(database, status) == []


def test_a_segment_that_names_no_field_is_refused(database: Database, measured: Config) -> None:
    """The error names the objective."""
    settings = measured.deployments["assistant"]
    slo = settings.slos["chat"].model_copy(update={"segment": "colour=red"})
    wrong = settings.model_copy(update={"slos": {"chat": slo}})
    with pytest.raises(ConfigError, match=r"deployments\.assistant\.slos\.chat\.segment: no field 'colour'"):
        measure(database, measured.model_copy(update={"deployments": {"assistant": wrong}}), "assistant", window(0))


def test_days_are_rolled_up_once_and_again_after_late_rows(
    database: Database, measured: Config, jsonl: Callable[..., Path], line: Callable[..., dict[str, Any]]
) -> None:
    """A day says how much of it was measured; what retention removes of its windows it keeps."""
    assert roll_up(database, measured, now=NEXT_DAY - timedelta(hours=2)) == RollUpResult(n_days=0, n_incomplete=0)
    assert roll_up(database, measured, now=NEXT_DAY) == RollUpResult(n_days=1, n_incomplete=1)
    assert roll_up(database, measured, now=NEXT_DAY).n_days == 0
    day = (
        "SELECT coverage, is_stale, n + n_failed + n_missing, round(p95::numeric, 6) FROM compliance.latency_by_day"
        " WHERE segment = 'all' AND field = 'latency_ms'"
    )
    first = ask(database, day)
    week = (
        "SELECT round(p95::numeric, 6) FROM compliance.latency_last_week WHERE segment = 'all' AND field = 'latency_ms'"
    )
    assert first == [("3 of 24 windows", False, 405, ask(database, week)[0][0])]
    jsonl(lines(line, 3, 10), name="late.jsonl")
    ingest_source(database, measured, "logs")
    run(database, measured, 3)
    run(database, measured, 2)
    assert ask(database, day)[0][1] is True
    assert roll_up(database, measured, now=NEXT_DAY).n_days == 1
    assert [row[:3] for row in ask(database, day)] == [("4 of 24 windows", False, 415)]
    told = ask(database, "SELECT subject FROM audit.trail WHERE event = 'day.rolled_up'")
    assert told == [("deployment assistant day 2023-06-27",)] * 2
    result = maintain(database, measured, now=NEXT_DAY + timedelta(days=400))
    assert result.n_sketches_removed > 0
    assert ask(database, "SELECT count(*) FROM llmmon.latency_sketch") == [(0,)]
    assert [row[:3] for row in ask(database, day)] == [("4 of 24 windows", False, 415)]
    removed = "SELECT n_removals FROM compliance.retention_status WHERE record = 'latency sketches'"
    assert ask(database, removed) == [(1,)]
