"""Logs of tracing and gateway tools from file to store: every row new, duplicate, quarantined or passed over."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import psycopg2
import pytest
from click.testing import CliRunner

from llmmon.cli import main
from llmmon.config import load_config
from llmmon.model import Window
from llmmon.pipeline.ingest import ingest_source
from llmmon.pipeline.retry_quarantine import retry_quarantine
from llmmon.privacy.keys import master_key
from llmmon.store.request_log import window_requests
from tests.unit.sources.otlp import line, request_spans, span
from tests.unit.sources.test_langfuse_export import OBSERVATION, SPAN
from tests.unit.sources.test_litellm_jsonl import EXPECTED, PAYLOAD

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
    assert dict(rows(database, "SELECT kind, n FROM compliance.rows_passed_over")) == first.passed_over
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


SPEND_LOGS = """
CREATE TABLE "LiteLLM_SpendLogs" (
    request_id text PRIMARY KEY, call_type text NOT NULL, spend float8 NOT NULL DEFAULT 0,
    prompt_tokens int NOT NULL DEFAULT 0, completion_tokens int NOT NULL DEFAULT 0, "startTime" timestamp(3) NOT NULL,
    "endTime" timestamp(3) NOT NULL, "completionStartTime" timestamp(3), model text NOT NULL DEFAULT '',
    model_group text DEFAULT '', custom_llm_provider text DEFAULT '', "user" text DEFAULT '',
    metadata jsonb DEFAULT '{}', cache_hit text DEFAULT '', request_tags jsonb DEFAULT '[]', team_id text,
    end_user text, messages jsonb DEFAULT '{}', response jsonb DEFAULT '{}', session_id text, status text,
    proxy_server_request jsonb DEFAULT '{}')
"""
SPEND_LOG = """
INSERT INTO "LiteLLM_SpendLogs" VALUES (%(id)s, %(call_type)s, 0.002, 12, 2, '2023-06-27 05:00:07.25',
    '2023-06-27 05:00:08.75', %(first)s, 'gpt-4o', 'chat', 'openai', 'bob', %(metadata)s, 'False', '[]',
    'team-1', 'ann', %(messages)s, %(response)s, 's-1', %(status)s, %(request)s)
"""


def test_the_spend_logs_of_litellm_are_read_from_their_table(database, make_database, monkeypatch):
    """By the mapping in docs/mappings: with texts, without, a failure, an embedding that the query leaves out."""
    url = make_database(None)
    monkeypatch.setenv("LITELLM_DATABASE_URL", url)
    payload = {key: json.dumps(PAYLOAD[key]) for key in ("metadata", "messages", "response")}
    usual = {
        "call_type": "acompletion",
        "first": "2023-06-27 05:00:07.5",
        "status": "success",
        "request": "{}",
        **payload,
    }
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(SPEND_LOGS)
        for changes in (
            {"id": "chatcmpl-1"},
            {"id": "in the request", "messages": "{}", "request": json.dumps({"messages": PAYLOAD["messages"]})},
            {"id": "withheld", "messages": "{}", "response": "{}", "first": "2023-06-27 05:00:08.75"},
            {
                "id": "failed",
                "status": "failure",
                "response": "{}",
                "metadata": '{"error_information": {"error_class": "RateLimitError"}}',
            },
            {"id": "embedding", "call_type": "aembedding"},
        ):
            cursor.execute(SPEND_LOG, {**usual, **changes})
    connection.close()
    mapping = Path(__file__).parents[2] / "docs" / "mappings" / "litellm_spend_logs.toml"
    checked = CliRunner().invoke(main, ["sources", "check", "litellm", "--rows", "9", "--config", str(mapping)])
    assert "4 of 4 rows can be read; nothing was stored" in checked.output
    settings = load_config(mapping)
    first = ingest_source(database, settings, "litellm")
    assert (first.n_in, first.n_new, first.n_bad) == (4, 4, 0)
    with database.transaction() as connection:
        hour = Window.parse("2023-06-27T05:00", hours=1)
        found = {request.request_id: request for _, request in window_requests(connection, "chat", hour)}
    whole = msgspec.structs.replace(
        EXPECTED,
        source="litellm",
        user=None,
        user_ref=master_key().pseudonym(EXPECTED.user),
        parameters={},
        tags={"provider": "openai", "key": "web", "cache_hit": "False"},
    )
    assert found["chatcmpl-1"] == whole
    assert found["in the request"] == msgspec.structs.replace(whole, request_id="in the request")
    withheld, failed = found["withheld"], found["failed"]
    assert (withheld.messages, withheld.response_text, withheld.ttft_ms, withheld.cost_usd) == ((), None, None, 0.002)
    assert (failed.error_type, failed.n_input_tokens, failed.cost_usd, failed.tenant) == (
        "RateLimitError",
        None,
        None,
        "team-1",
    )
    assert ingest_source(database, settings, "litellm").n_in == 0
