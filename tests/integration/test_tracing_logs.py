"""Logs of tracing and gateway tools from file to store: every row new, duplicate, quarantined or passed over."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from llmmon.cli import main
from llmmon.pipeline.ingest import ingest_source
from llmmon.pipeline.retry_quarantine import retry_quarantine
from tests.unit.sources.otlp import line, request_spans, span
from tests.unit.sources.test_langfuse_export import OBSERVATION, SPAN
from tests.unit.sources.test_litellm_jsonl import PAYLOAD

OTLP = """
[sources.otel]
gate = { max_bad_fraction = 1.0, max_null_fraction = {} }
read = { type = "otlp_json", path = "${here}/*.json" }
[deployments."gpt-4o"]
source = "otel"
"""


def rows(database, query):
    """Return what a query finds as tuples."""
    with database.transaction() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query).all()]


@pytest.fixture
def check(tmp_path):
    """Run `llmmon sources check`."""
    return lambda *words: CliRunner().invoke(main, ["sources", "check", *words, "--config", f"{tmp_path}/llmmon.toml"])


def test_spans_are_loaded_once_and_others_are_counted(database, config, tmp_path, check):
    """Several spans a line, a broken one, other spans, and lines of logs: the account closes, also the second time."""
    calls = [span(given.pop("attributes"), number, **given) for number, given in enumerate(request_spans().values())]
    web = [span({"http.request.method": "GET"}, 100 + number) for number in range(3)]
    agent = span({"gen_ai.operation.name": "invoke_agent"}, 200)
    broken = span({"gen_ai.operation.name": "chat"}, 300)
    path = tmp_path / "traces.json"
    path.write_bytes(
        b"\n".join([line(*web, *calls[:4], agent), b'{"resourceLogs": []}', line(*calls[3:], broken), b"{", b""])
    )
    settings = config(OTLP)
    checked = check("otel", "--rows", "2")
    assert checked.exit_code == 0, checked.output
    assert "2 of 2 rows can be read" in checked.output
    assert "3 x span that calls no model" in checked.output

    first = ingest_source(database, settings, "otel")
    assert (first.n_in, first.n_new, first.n_dup, first.n_bad) == (11, 8, 1, 2)
    assert first.passed_over == {
        "span that calls no model": 3,
        "span of an embedding, retrieval, tool, agent or chain": 1,
        "OpenTelemetry line without traces": 1,
    }
    told = rows(
        database, "SELECT body::json -> 'detail' FROM audit.event WHERE body::json ->> 'event' = 'batch.loaded'"
    )
    assert told[0][0]["passed_over"] == first.passed_over
    assert rows(database, "SELECT code FROM llmmon.quarantine ORDER BY byte_offset") == [
        ("missing_model",),
        ("malformed_json",),
    ]
    assert rows(database, "SELECT count(*), min(model), max(latency_ms) FROM llmmon.request_log") == [
        (8, "gpt-4o", 1500)
    ]

    assert ingest_source(database, settings, "otel").n_in == 0
    assert retry_quarantine(database, settings, "otel").n_bad == 2
    with path.open("ab") as file:
        file.write(line(*web, *calls) + b"\n" + line(*web) + b"\n")
    again = ingest_source(database, settings, "otel")
    assert (again.n_in, again.n_new, again.n_dup) == (8, 0, 8)


def test_a_file_without_a_request_is_read_once(database, config, tmp_path):
    """A batch in which everything is passed over moves on and is recorded."""
    path = tmp_path / "traces.json"
    path.write_bytes(line(span({"http.request.method": "GET"})) + b"\n")
    settings = config(OTLP)
    first = ingest_source(database, settings, "otel")
    assert (first.n_in, first.n_batches, first.passed_over) == (0, 1, {"span that calls no model": 1})
    assert ingest_source(database, settings, "otel").n_batches == 0
    (position,) = rows(database, "SELECT position FROM llmmon.source_cursor")
    assert json.dumps(position[0]).count(str(path)) == 1


EXPORTS = {
    "litellm_jsonl": (
        [PAYLOAD, {**PAYLOAD, "id": "b"}, {**PAYLOAD, "call_type": "aembedding"}, PAYLOAD, {**PAYLOAD, "model": 3.5}],
        {"LiteLLM call that generates no text": 1},
    ),
    "langfuse_export": (
        [[OBSERVATION, {**OBSERVATION, "id": "b"}], SPAN, OBSERVATION, {"observation": 3}],
        {"Langfuse observation that is no generation": 1},
    ),
}


@pytest.mark.parametrize("plugin", list(EXPORTS))
def test_exports_are_loaded_once(database, config, tmp_path, jsonl, check, plugin):
    """Two requests, one of them twice, one row that is none, one that cannot be read; the second load adds nothing."""
    lines, passed_over = EXPORTS[plugin]
    jsonl([*lines, b"{"])
    settings = config(OTLP.replace("otlp_json", plugin).replace("*.json", "*.jsonl"))
    checked = check("otel", "--rows", "3", "--json")
    assert checked.exit_code == 0, checked.output
    rows_shown = json.loads(checked.stdout)
    assert rows_shown[0]["request"]["response_text"] == "Yes."
    assert rows_shown[0]["request"]["user"] is None
    first = ingest_source(database, settings, "otel")
    assert (first.n_in, first.n_new, first.n_dup, first.n_bad) == (5, 2, 1, 2)
    assert first.passed_over == passed_over
    assert rows(database, "SELECT count(*), max(latency_ms), max(cost_usd) FROM llmmon.request_log") == [
        (2, 1500.0, 0.002)
    ]
    assert ingest_source(database, settings, "otel").n_in == 0
