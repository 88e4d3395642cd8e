"""What a run of detection reads does not grow with what was judged before: no statement scans a table of the past."""

from __future__ import annotations

from datetime import timedelta

import pytest

from llmmon.store.database import Database
from llmmon.store.statements import statement
from tests.integration.alarms.measured import START, window

N_WINDOWS, N_STREAMS = 1500, 12
FILL = """
INSERT INTO llmmon.provenance (digest, kind, plugin, parameters, code_version, config_digest)
VALUES ('x', 'metrics', 'given', '{}', '0', '');
INSERT INTO llmmon.window_stage (deployment, window_start, window_end, stage, state, n_requests)
SELECT 'survey', start, start + interval '1 hour', stage, 'done', 0
  FROM generate_series(%(first)s::timestamptz, %(last)s::timestamptz, interval '1 hour') AS start,
       unnest(ARRAY['ingest', 'sample', 'replay', 'score', 'measure', 'detect']) AS stage;
INSERT INTO llmmon.measurement (deployment, monitor, segment, window_start, window_end, value, n, unit, provenance_id)
SELECT 'survey', 'refusal-rate', 'route=' || stream, start, start + interval '1 hour', 0.1, 9, '1', 1
  FROM generate_series(%(first)s::timestamptz, %(last)s::timestamptz, interval '1 hour') AS start,
       generate_series(1, %(streams)s) AS stream;
INSERT INTO llmmon.evidence (deployment, monitor, segment, window_start, window_end, detector, e_value, relevant,
                             measurement_id, provenance_id)
SELECT deployment, monitor, segment, window_start, window_end, 'reference_change', 0.5, false, measurement_id, 1
  FROM llmmon.measurement;
"""
NEXT = window(N_WINDOWS - 1)
STREAMS = {
    "monitors": ["refusal-rate"] * N_STREAMS,
    "segments": [f"route={stream}" for stream in range(1, N_STREAMS + 1)],
    "since": [NEXT.start] * N_STREAMS,
}
ASKED = {
    "deployment": "survey",
    "length": timedelta(hours=1),
    "grid": START,
    "active_from": START,
    "active_until": None,
    "first_start": START,
    "judged_until": NEXT.start,
    "measurement_change_id": (N_WINDOWS - 1) * N_STREAMS,
    "stage_change_id": N_WINDOWS * 6 - 6,
    "until": NEXT.end,
    "starts": [NEXT.start],
    "monitors": ["refusal-rate"],
    "since": NEXT.start,
}


@pytest.fixture
def judged(database: Database) -> Database:
    """Return a database with two months of hours of twelve streams, analysed."""
    given = {"first": START, "last": NEXT.start, "streams": N_STREAMS}
    with database.transaction() as connection:
        connection.exec_driver_sql(FILL, given)
        connection.exec_driver_sql("ANALYZE")
    return database


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("detection/first_window", ASKED),
        ("detection/finished", ASKED),
        ("evidence/outdated", ASKED),
        ("evidence/of_streams", {**ASKED, **STREAMS}),
        ("evidence/of_windows", ASKED),
        ("measurement/streams", ASKED),
        ("measurement/of_streams", {**ASKED, **STREAMS}),
    ],
)
def test_no_statement_scans_the_past(judged: Database, name: str, asked: dict[str, object]) -> None:
    """As Postgres plans it by itself, each reads far fewer rows than there are, from no whole table."""
    with judged.transaction() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT json) {statement(name)}", asked).scalar()

    def walk(node: dict[str, object]) -> list[dict[str, object]]:
        return [node, *(item for child in node.get("Plans", []) for item in walk(child))]  # type: ignore[attr-defined]

    for node in walk(plan[0]["Plan"]):
        if node.get("Relation Name") in {"measurement", "evidence", "window_stage"}:
            assert node["Node Type"] != "Seq Scan", plan
            touched = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]  # type: ignore[operator,call-overload]
            assert touched <= 10 * N_STREAMS, plan
