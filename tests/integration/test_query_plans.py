"""The hot queries use the index that is named for them and touch only the days they need."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from llmmon.model import Window
from llmmon.pipeline.ingest import ingest_source
from llmmon.store.statements import statement

WINDOW = Window.parse("2023-06-28T05:00", hours=1)


@pytest.fixture
def loaded(database, config, jsonl, line):
    """Return a database with six days of requests of two deployments, analysed."""
    names = ("assistant", "other")
    jsonl(
        [
            line(
                index,
                timestamp=(WINDOW.start + timedelta(minutes=4 * index - 2880)).isoformat(),
                deployment=names[index % 2],
                user=f"user {index % 7}",
            )
            for index in range(2160)
        ]
    )
    ingest_source(database, config(), "logs")
    with database.transaction() as connection:
        connection.exec_driver_sql("ANALYZE")
    return database


def plan(database, name, parameters):
    """Return the plan of a named statement as flat nodes."""
    with database.transaction() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # a test's tables are small
        found = connection.exec_driver_sql(f"EXPLAIN (FORMAT json) {statement(name)}", parameters).scalar()
    nodes = []

    def walk(node):
        nodes.append(node)
        for child in node.get("Plans", []):
            walk(child)

    walk((json.loads(found) if isinstance(found, str) else found)[0]["Plan"])
    return nodes


@pytest.mark.parametrize("name", ["request_log/window", "request_log/count"])
def test_a_window_is_read_by_its_index_from_one_day(loaded, name):
    """One partition of facts and one of payload are read, each by an index."""
    nodes = plan(loaded, name, {"deployment": "assistant", "start": WINDOW.start, "end": WINDOW.end})
    scans = [node for node in nodes if node.get("Relation Name", "").startswith("request_")]
    assert {node["Relation Name"] for node in scans} <= {"request_log_20230628", "request_payload_20230628"}
    assert not [node for node in scans if node["Node Type"] == "Seq Scan"]


def test_a_window_over_midnight_reads_two_days(loaded):
    """Partitions outside the window are pruned."""
    window = Window.parse("2023-06-28T23:30", hours=1)
    nodes = plan(loaded, "request_log/window", {"deployment": "assistant", "start": window.start, "end": window.end})
    tables = {node["Relation Name"] for node in nodes if node.get("Relation Name", "").startswith("request_")}
    assert tables == {f"request_{kind}_202306{day}" for kind in ("log", "payload") for day in (28, 29)}


def test_the_keys_of_a_page_are_looked_up_one_by_one(loaded):
    """A page of a large window does not read the whole window: each request is reached by its key, in one partition."""
    parameters = {"start": WINDOW.start, "end": WINDOW.end, "request_keys": [800, 801]}
    nodes = plan(loaded, "subject_key/of_requests", parameters)
    (payload,) = (node for node in nodes if node.get("Relation Name", "").startswith("request_payload"))
    assert payload["Relation Name"] == "request_payload_20230628"
    assert "identity.request_key" in payload["Index Cond"]


@pytest.mark.parametrize(
    ("name", "parameters", "index"),
    [
        ("window_stage/is_done", {"deployment": "a", "start": WINDOW.start, "stage": "score"}, "window_stage_pkey"),
        ("coverage/forget", {"deployment": "a", "start": WINDOW.start, "stage": "measure"}, "coverage_pkey"),
        ("source_cursor/lock", {"source": "logs"}, "source_cursor_pkey"),
    ],
)
def test_keyed_statements_use_their_key(loaded, name, parameters, index):
    """With sequential scans made costly, as on large tables, the key's index serves the statement."""
    with loaded.engine.connect() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")
        found = connection.exec_driver_sql(f"EXPLAIN {statement(name)}", parameters).scalars().all()
    assert any(index in step for step in found), found
