"""Generations of Langfuse become request logs, however they were exported."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest

from llmmon.errors import BadRowError, NotARequestError
from llmmon.model import Message, RequestLog
from llmmon.sources.langfuse_export import LangfuseExport

OBSERVATION = {
    "id": "o-1",
    "traceId": "t-1",
    "type": "GENERATION",
    "name": "answer",
    "startTime": "2023-06-27T05:00:07.250Z",
    "endTime": "2023-06-27T05:00:08.750Z",
    "completionStartTime": "2023-06-27T05:00:07.500Z",
    "model": "gpt-4o",
    "modelParameters": {"temperature": 0.5},
    "input": [{"role": "user", "content": "Is 7 prime?"}],
    "output": {"role": "assistant", "content": "Yes."},
    "metadata": {"route": "help"},
    "usageDetails": {"input": 12, "output": 2, "total": 14},
    "costDetails": {"input": 0.001, "output": 0.001, "total": 0.002},
    "level": "DEFAULT",
    "statusMessage": None,
    "environment": "prod",
    "userId": "ann",
    "sessionId": "s-1",
    "traceName": "chat",
}
EXPECTED = RequestLog(
    source="langfuse",
    request_id="o-1",
    occurred_at=datetime(2023, 6, 27, 5, 0, 7, 250_000, UTC),
    deployment="gpt-4o",
    model="gpt-4o",
    messages=(Message(role="user", content="Is 7 prime?"),),
    parameters={"temperature": 0.5},
    response_text="Yes.",
    n_input_tokens=12,
    n_output_tokens=2,
    ttft_ms=250.0,
    latency_ms=1500.0,
    cost_usd=0.002,
    route="chat",
    user="ann",
    conversation_id="s-1",
    tags={"name": "answer", "environment": "prod"},
)
SPAN = {**OBSERVATION, "id": "o-2", "type": "SPAN"}


def read(tmp_path, content, **parameters):
    """Return the source and the rows of a file."""
    path = tmp_path / "langfuse.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    source = LangfuseExport(path=str(path), **parameters)
    return source, [row for batch in source.read(None, max_rows=10) for row in batch.rows]


def parse(tmp_path, content, **parameters):
    """Return the request log of the first row."""
    source, rows = read(tmp_path, content, **parameters)
    return source.parse(rows[0], source="langfuse")


def test_every_way_of_exporting_gives_the_same_request_log(tmp_path):
    """An observation a line, a JSON file, a page of the API, and a trace that holds its observations."""
    bare = {key: item for key, item in OBSERVATION.items() if key not in {"userId", "sessionId", "traceName"}}
    trace = {"id": "t-1", "timestamp": "2023-06-27T05:00:07Z", "name": "chat", "userId": "ann", "sessionId": "s-1"}
    for content in (
        OBSERVATION,
        [OBSERVATION, SPAN],
        {"data": [OBSERVATION, SPAN], "meta": {"page": 1}},
        {**trace, "observations": [bare, SPAN]},
    ):
        assert parse(tmp_path, content) == EXPECTED


def test_an_empty_page_holds_no_rows(tmp_path):
    """The last page of the API is one; so is an export of nothing."""
    for content in ({"data": [], "meta": {"page": 2}}, []):
        assert read(tmp_path, content)[1] == []


def test_older_names_and_json_as_text_are_read(tmp_path):
    """As the older API and the export of tables write them."""
    old = {
        **OBSERVATION,
        "input": json.dumps({"messages": OBSERVATION["input"]}),
        "output": "Yes.",
        "usage": {"input": 12, "output": 2, "unit": "TOKENS"},
        "calculatedTotalCost": 0.002,
        "modelParameters": '{"temperature": 0.5}',
        "usageDetails": None,
        "costDetails": "{}",
    }
    assert parse(tmp_path, old) == EXPECTED


def test_rows_stand_at_their_own_offsets(tmp_path):
    """Also equal rows, and the file is known by its first line."""
    content = json.dumps([SPAN, OBSERVATION, OBSERVATION]).encode()
    _, rows = read(tmp_path, content)
    assert [content[row.offset : row.offset + len(row.raw)] for row in rows] == [row.raw for row in rows]
    assert len({row.offset for row in rows}) == 3


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (SPAN, "no generation"),
        ({**OBSERVATION, "type": "EMBEDDING"}, "no generation"),
        ({"id": "t-1", "timestamp": "2023-06-27T05:00:07Z", "name": "chat", "observations": ["o-1"]}, "trace without"),
    ],
)
def test_what_is_no_generation_is_passed_over(tmp_path, content, kind):
    """It is counted by kind."""
    with pytest.raises(NotARequestError, match=kind):
        parse(tmp_path, content)


def test_an_answer_in_json_stays_json(tmp_path):
    """Langfuse keeps structured output as an object; an input of any other shape is one turn of its JSON."""
    found = parse(tmp_path, {**OBSERVATION, "input": {"question": "é?"}, "output": {"text": "Yes.", "sure": True}})
    assert (found.prompt, found.response_text) == ('{"question": "é?"}', '{"text": "Yes.", "sure": true}')


def test_a_failed_generation_and_fields_kept_elsewhere(tmp_path):
    """Level ERROR is an error; paths begin with observation or trace."""
    failed = {**OBSERVATION, "level": "ERROR", "output": None, "endTime": None}
    found = parse(tmp_path, failed, fields={"route": "observation.metadata.route"}, deployment="chat")
    assert (found.status, found.error_type, found.response_text, found.latency_ms) == ("error", "error", None, None)
    assert (found.route, found.deployment) == ("help", "chat")
    assert found == msgspec.structs.replace(
        EXPECTED,
        status="error",
        error_type="error",
        response_text=None,
        latency_ms=None,
        route="help",
        deployment="chat",
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ([1], "wrong_type"),
        (b'{"data": [{]}', "malformed_json"),
        (b"[" * 50_000, "too_deep"),
        ({"observation": 3}, "wrong_type"),
        ({**OBSERVATION, "id": None}, "missing_request_id"),
        ({**OBSERVATION, "startTime": None}, "missing_timestamp"),
        ({**OBSERVATION, "model": None}, "missing_model"),
        ({**OBSERVATION, "usageDetails": {"input": -1}}, "number_out_of_range"),
    ],
)
def test_a_wrong_row_is_refused_with_its_code(tmp_path, content, code):
    """The row is quarantined under it."""
    with pytest.raises(BadRowError) as caught:
        parse(tmp_path, content if not isinstance(content, bytes) else content + b"\n")
    assert caught.value.code == code
