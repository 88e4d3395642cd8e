"""One line of a log becomes a request log, or says why it cannot."""

from __future__ import annotations

import json

import pytest

from llmmon.errors import BadRowError
from llmmon.model import Document, Message
from llmmon.sources.base import RawRow
from llmmon.sources.openai_jsonl import OpenaiJsonl


def parse(raw, **parameters):
    """Parse one line given as bytes or as a dict."""
    raw = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    return OpenaiJsonl(path="logs.jsonl", **parameters).parse(RawRow(raw=raw, file="logs.jsonl", offset=0), source="s")


def test_every_field_of_the_format_arrives(line):
    """A line with every optional key fills the record."""
    raw = line(
        7,
        tenant="acme",
        language="en",
        conversation_id="c-1",
        ttft_ms=12,
        cost_usd=0.01,
        context=[{"id": "doc-1", "content": "facts"}, "more facts"],
        reference_answer="yes",
        groups={"age": "old"},
        tags={"task": "prime", "try": 2},
        feedback=True,
    )
    raw["request"]["temperature"] = 0.1
    found = parse(raw)
    assert (found.request_id, found.deployment, found.model, found.route) == ("req-7", "assistant", "gpt-4", "primes")
    assert found.messages == (Message(role="user", content="Is 7 a prime number?"),)
    assert found.documents == (Document(content="facts", document_id="doc-1"), Document(content="more facts"))
    assert (found.response_text, found.finish_reason, found.status) == ("No, 7 is not.", "stop", "ok")
    assert (found.n_input_tokens, found.n_output_tokens) == (8, 5)
    assert (found.ttft_ms, found.latency_ms, found.cost_usd, found.feedback) == (12.0, 107.0, 0.01, 1.0)
    assert (found.parameters, found.groups, found.tags) == (
        {"temperature": 0.1},
        {"age": "old"},
        {"task": "prime", "try": "2"},
    )
    assert found.occurred_at.isoformat() == "2023-06-27T05:00:07+00:00"
    assert found.cleaned == ()


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", "malformed_json"),
        (b'{"id": "a"} trailing', "malformed_json"),
        (b'{"id": NaN}', "malformed_json"),
        (b'{"latency_ms": Infinity}', "malformed_json"),
        (b'{"id": "\xff"}', "invalid_utf8"),
        (b'{"latency_ms": 1e999}', "number_out_of_range"),
        (b'{"n": ' + b"9" * 5000 + b"}", "number_out_of_range"),
        (b'{"a": ' + b"[" * 100_000, "too_deep"),
        (b'{"a": "' + b"x" * (16 * 2**20) + b'"}', "line_too_long"),
        (b"[1, 2]", "wrong_type"),
        (b"null", "wrong_type"),
    ],
)
def test_a_broken_line_is_refused_with_its_code(raw, code):
    """Each way to break JSON has its own code."""
    with pytest.raises(BadRowError) as caught:
        parse(raw)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        ({"id": None}, "missing_id", "id"),
        ({"id": ""}, "missing_id", "id"),
        ({"id": "x" * 513}, "text_too_long", "id"),
        ({"id": "a\0b"}, "malformed_id", "id"),
        ({"timestamp": None}, "missing_timestamp", "timestamp"),
        ({"timestamp": "yesterday"}, "malformed_time", "timestamp"),
        ({"timestamp": "1999-12-31T23:59:59Z"}, "time_out_of_range", "1999"),
        ({"timestamp": "9999-12-31T23:59:59-14:00"}, "time_out_of_range", "timestamp"),
        ({"timestamp": 1e30}, "time_out_of_range", "timestamp"),
        ({"timestamp": True}, "wrong_type", "timestamp"),
        ({"request": {"model": "m"}}, "missing_messages", "request.messages"),
        ({"request": {"model": "m", "messages": []}}, "missing_messages", "request.messages"),
        ({"request": {"model": "m", "messages": "hi"}}, "wrong_type", "request.messages"),
        ({"request": {"messages": [{"role": "user", "content": "hi"}]}}, "missing_model", "request.model"),
        ({"response": None}, "missing_response", "neither"),
        ({"response": "No."}, "wrong_type", "response"),
        ({"latency_ms": -1}, "number_out_of_range", "latency_ms"),
        ({"latency_ms": "12"}, "wrong_type", "latency_ms"),
        ({"latency_ms": True}, "wrong_type", "latency_ms"),
        ({"response": {"usage": {"prompt_tokens": 2**31}}}, "number_out_of_range", "prompt_tokens"),
        ({"response": {"usage": {"prompt_tokens": 1.5}}}, "wrong_type", "prompt_tokens"),
        ({"groups": {"age": ["old"]}}, "wrong_type", "groups.age"),
        ({"context": [{"id": "d"}]}, "wrong_type", "context"),
    ],
)
def test_a_wrong_value_is_refused_with_its_field(line, changes, code, named):
    """The reason names the field, and the code can be counted."""
    with pytest.raises(BadRowError) as caught:
        parse(line(1, **changes))
    assert caught.value.code == code
    assert named in caught.value.reason


def test_request_parameters_that_postgres_cannot_hold_are_refused(line):
    """A number of more than 64 bits and a value nested 33 levels deep do not reach the store."""
    raw = line(1)
    raw["request"]["seed"] = 2**64
    with pytest.raises(BadRowError, match="64 bits"):
        parse(raw)
    deep: object = 1
    for _ in range(33):
        deep = [deep]
    raw["request"]["seed"] = deep
    with pytest.raises(BadRowError, match="32 levels"):
        parse(raw)


def test_nul_and_lone_surrogates_become_replacement_characters_and_are_named(line):
    """What Postgres refuses is replaced, the place is recorded, and a proper pair stays."""
    raw = line(1)
    raw["request"]["messages"][0]["content"] = "a\0b\ud800c"
    raw["response"]["choices"][0]["message"]["content"] = "fine \U0001f600"
    found = parse(raw)
    assert found.messages[0].content == "a\ufffdb\ufffdc"
    assert found.response_text == "fine \U0001f600"
    assert found.cleaned == ("request.messages[0].content",)


def test_an_error_needs_no_response(line):
    """A request that failed has status error, its type, and no text."""
    found = parse(line(1, response=None, error={"type": "timeout", "message": "60 s"}))
    assert (found.status, found.error_type, found.response_text) == ("error", "timeout", None)


def test_parts_of_a_message_are_joined_and_none_vanishes(line):
    """Text parts are joined and an image leaves its type behind."""
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "x"}}]
    found = parse(line(1, request={"model": "m", "messages": [{"role": "user", "content": parts}]}))
    assert found.prompt == "What is this?\n[image_url]"


def test_unix_seconds_and_zoneless_text_are_utc(line):
    """1687842000 is 2023-06-27T05:00:00Z, and so is the text without a zone."""
    by_number, by_text = parse(line(1, timestamp=1687842000)), parse(line(1, timestamp="2023-06-27T05:00:00"))
    assert by_number.occurred_at == by_text.occurred_at
    assert by_number.occurred_at.isoformat() == "2023-06-27T05:00:00+00:00"


def test_deployment_falls_back_to_the_model_and_a_setting_overrides_both(line):
    """Deployment: the setting, else the line's own, else the model."""
    raw = line(1)
    assert parse(raw, deployment="mine").deployment == "mine"
    del raw["deployment"]
    assert parse(raw).deployment == "gpt-4"


def test_a_log_with_other_names_is_mapped(line):
    """Settings say where another log keeps its keys."""
    raw = line(1)
    raw["meta"] = {"at": raw.pop("timestamp")}
    found = parse(raw, fields={"timestamp": "meta.at"})
    assert found.occurred_at.isoformat() == "2023-06-27T05:00:01+00:00"


def test_an_unknown_mapping_is_refused_by_name():
    """A mapping of a key that does not exist is an error of the configuration."""
    with pytest.raises(ValueError, match="no when; there are: id, timestamp"):
        OpenaiJsonl(path="x", fields={"when": "at"})


def test_the_last_of_two_equal_keys_counts():
    """JSON leaves it open; llmmon does as every common reader."""
    raw = b'{"id":"a","id":"b","timestamp":0,"timestamp":1687842000,"error":"x",'
    raw += b'"request":{"model":"m","messages":[{"role":"user","content":"q"}]}}'
    assert parse(raw).request_id == "b"
