"""Quantiles of a week from sketches beside percentile_cont over rows, and building sketches beside KLL and t-digest."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import psycopg2

from benchmarks.result import Result, Row, best_seconds
from llmmon.metrics.sketch import Sketch
from llmmon.store.migrate import upgrade
from llmmon.store.scratch import scratch_server

SUMMARY = (
    "p50 to p99 of 7 days by model: hourly sketches, percentile_cont over rows; what=build: sketches, KLL, t-digest"
)

_LEVELS = (0.5, 0.9, 0.95, 0.99)
_FIRST = "2026-03-02T00:00Z"
_DAYS = "SELECT llmmon.ensure_day_partition('2026-03-02'::date + n) FROM generate_series(0, 6) AS n"
# four models of different speed and tail, one request in fifty failed, a lognormal latency by Box and Muller
_ROWS = """
SELECT setseed(0.42);
INSERT INTO llmmon.request_log (request_key, occurred_at, source, request_id, batch_id, deployment, model, route,
                                status, n_input_tokens, n_output_tokens, ttft_ms, latency_ms, digest)
SELECT n, %(first)s::timestamptz + interval '7 days' * (n::double precision / %(rows)s), 'bench', 'r' || n, 1, 'chat',
       'model-' || n %% 4, 'help', CASE WHEN n %% 50 = 0 THEN 'error' ELSE 'ok' END, 500, 150, 200,
       exp(6 + n %% 4 * 0.3 + (0.5 + n %% 4 * 0.3) * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())), '\\x00'
  FROM generate_series(0, %(rows)s - 1) AS n
"""
_SKETCHES = """
INSERT INTO llmmon.latency_sketch (deployment, segment, field, window_start, window_end, n_requests, n_failed,
                                   n_missing, n, buckets, counts)
SELECT 'chat', segment, 'latency_ms', hour, hour + interval '1 hour', sum(n),
       coalesce(sum(n) FILTER (WHERE bucket IS NULL), 0), 0,
       sum(n) FILTER (WHERE bucket IS NOT NULL), array_agg(bucket ORDER BY bucket) FILTER (WHERE bucket IS NOT NULL),
       array_agg(n ORDER BY bucket) FILTER (WHERE bucket IS NOT NULL)
  FROM (SELECT coalesce('model=' || model, 'all') AS segment, date_trunc('hour', occurred_at, 'UTC') AS hour,
               CASE WHEN status = 'ok' THEN llmmon.bucket_of(latency_ms) END AS bucket, count(*)::integer AS n
          FROM llmmon.request_log
         GROUP BY GROUPING SETS ((model, 2, 3), (2, 3))) AS counted
 GROUP BY segment, hour;
CREATE TABLE histogram AS
SELECT s.segment, s.window_start, b.bucket, b.n
  FROM llmmon.latency_sketch AS s CROSS JOIN LATERAL unnest(s.buckets, s.counts) AS b (bucket, n);
CREATE INDEX ON histogram (window_start);
ANALYZE
"""
_FROM_ROWS = """
SELECT 'model=' || model, percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]) WITHIN GROUP (ORDER BY latency_ms)
                          FILTER (WHERE status = 'ok')
  FROM llmmon.request_log
 WHERE deployment = 'chat' AND occurred_at >= %(first)s AND occurred_at < %(first)s::timestamptz + %(span)s::interval
 GROUP BY model
"""
_FROM_SKETCHES = """
SELECT segment, ARRAY[p50, p90, p95, p99]
  FROM llmmon.latency_quantiles('chat', %(first)s, %(first)s::timestamptz + %(span)s::interval)
 WHERE segment <> 'all'
"""
_FROM_HISTOGRAM = """
SELECT segment, llmmon.histogram_quantiles(array_agg(bucket), array_agg(n), '{0.5,0.9,0.95,0.99}')
  FROM (SELECT segment, bucket, sum(n)::bigint AS n FROM histogram
         WHERE window_start >= %(first)s AND window_start < %(first)s::timestamptz + %(span)s::interval
           AND segment <> 'all'
         GROUP BY segment, bucket) AS summed
 GROUP BY segment
"""
_SIZES = """
SELECT pg_total_relation_size('llmmon.latency_sketch'), pg_total_relation_size('histogram'),
       (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('llmmon.request_log')),
       (SELECT count(*) FROM llmmon.latency_sketch)
"""


def run(rows: int = 1_000_000, rounds: int = 3, what: str = "query", seed: int = 1) -> Result:
    """Time queries over `rows` requests of a week (``what=query``), or sketching as many values (``what=build``)."""
    if what == "build":
        return _build(rows, rounds, seed)
    if what != "query":
        raise SystemExit(f"benchmarks: what: expected query or build, got {what!r}")
    with scratch_server() as url:
        upgrade(url)
        connection = psycopg2.connect(url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(_DAYS)
            cursor.execute(_ROWS, {"first": _FIRST, "rows": rows})
            cursor.execute("VACUUM ANALYZE llmmon.request_log")
            cursor.execute(_SKETCHES)
            found = _query(cursor, rounds)
        connection.close()
    settings = {"rows": rows, "models": 4, "failed": "2%", "rounds": rounds}
    return Result(
        unit="ms", rows=found, reference="percentile_cont over rows, 7 days", higher_is_better=False, settings=settings
    )


def _query(cursor: Any, rounds: int) -> list[Row]:
    cursor.execute(_SIZES)
    in_sketches, in_histogram, in_rows, n_sketches = cursor.fetchone()
    notes = {
        "percentile_cont over rows": f"{in_rows / 2**20:,.0f} MiB of rows, without texts",
        "llmmon, hourly sketches": f"{in_sketches / 2**20:,.2f} MiB, {n_sketches} sketches",
        "the same as a row per bucket": f"{in_histogram / 2**20:,.2f} MiB",
    }
    found = []
    for span in ("7 days", "1 day"):
        exact: dict[str, list[float]] = {}
        for (name, note), statement in zip(notes.items(), (_FROM_ROWS, _FROM_SKETCHES, _FROM_HISTOGRAM), strict=True):
            answer: dict[str, list[float]] = {}

            def ask(statement: str = statement, answer: dict[str, list[float]] = answer, span: str = span) -> None:
                cursor.execute(statement, {"first": _FIRST, "span": span})
                answer.update(cursor.fetchall())

            seconds = best_seconds(ask, rounds=rounds)
            exact = exact or answer
            assert answer.keys() == exact.keys()
            assert len(answer) == 4
            error = max(abs(a / b - 1) for key in exact for a, b in zip(answer[key], exact[key], strict=True))
            told = note if answer is exact else f"largest error {error:.2%}; {note}"
            found.append(Row(way=f"{name}, {span}", value=seconds * 1000, note=told))
    return found


def _build(rows: int, rounds: int, seed: int) -> Result:
    values = np.random.default_rng(seed).lognormal(6, 1.2, rows)
    exact = np.quantile(values, _LEVELS)
    ways: list[tuple[str, Callable[[], tuple[list[float], int]]]] = [
        ("numpy, every value sorted", lambda: (np.quantile(values, _LEVELS).tolist(), values.nbytes)),
        ("llmmon sketch, 1%", lambda: _sketched(values)),
    ]
    try:
        import datasketches  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        missing = "not installed: pip install datasketches"
    else:
        missing = ""
        ways += [
            ("datasketches KLL, k=200", lambda: _peer(datasketches.kll_doubles_sketch(200), values)),
            ("datasketches t-digest, k=200", lambda: _peer(datasketches.tdigest_double(200), values)),
        ]
    found = []
    for name, way in ways:
        results: list[tuple[list[float], int]] = []
        seconds = best_seconds(lambda way=way, results=results: results.append(way()), rounds=rounds)  # type: ignore[misc]
        worst = max(abs(a / b - 1) for answer, _ in results for a, b in zip(answer, exact, strict=True))
        size = statistics.median(size for _, size in results)
        note = f"{size / 1024:,.1f} KiB; largest error of p50 to p99 {worst:.2%}"
        found.append(Row(way=name, value=rows / seconds, note=note))
    if missing:
        found.append(Row(way="datasketches KLL and t-digest", value=None, note=missing))
    settings = {"what": "build", "values": rows, "rounds": rounds, "seed": seed}
    return Result(unit="values/s", rows=found, reference="numpy, every value sorted", settings=settings)


def _sketched(values: Any) -> tuple[list[float], int]:
    sketch = Sketch.of(values)
    return [sketch.quantile(level) for level in _LEVELS], 2 * len(sketch.buckets) + 4 * len(sketch.counts)


def _peer(sketch: Any, values: Any) -> tuple[list[float], int]:
    sketch.update(values)
    answer = [float(sketch.get_quantile(level)) for level in _LEVELS]
    return cast("list[float]", answer), len(sketch.serialize())
