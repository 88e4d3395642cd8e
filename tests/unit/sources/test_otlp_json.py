"""Spans of every convention become the same request log; other spans are told apart, and broken ones refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from llmmon.errors import BadRowError, NotARequestError
from llmmon.model import Document, Message, RequestLog
from llmmon.sources.otlp_json import OtlpJson
from tests.unit.sources.otlp import START, TRACE, line, listed, request_spans, span

CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
EXPECTED = RequestLog(
    source="otel",
    request_id=f"{TRACE}-0000000000000001",
    occurred_at=datetime(2023, 6, 27, 5, 0, 8, 123456, UTC),
    deployment="gpt-4o",
    model="gpt-4o",
    model_version="gpt-4o-2024-08-06",
    messages=(Message(role="user", content="Is 7 prime?"),),
    parameters={"temperature": 0.5},
    response_text="Yes.",
    finish_reason="stop",
    n_input_tokens=12,
    n_output_tokens=2,
    latency_ms=1500.0,
    tags={"provider": "openai", "service": "help-desk", "environment": "prod"},
)


def rows(tmp_path, *lines, **parameters):
    """Return the source and the rows of a file with these lines."""
    path = tmp_path / "traces.json"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    source = OtlpJson(path=str(path), **parameters)
    return source, [row for batch in source.read(None, max_rows=1) for row in batch.rows]


def parse(tmp_path, *spans, **parameters):
    """Return the request log of the only span."""
    source, (row,) = rows(tmp_path, line(*spans), **parameters)
    return source.parse(row, source="otel")


@pytest.mark.parametrize("convention", list(request_spans()))
def test_every_convention_gives_the_same_request_log(tmp_path, convention):
    """Present and older names of OpenTelemetry, OpenLLMetry and OpenInference, in attributes and in events."""
    given = request_spans()[convention]
    assert parse(tmp_path, span(given.pop("attributes"), **given)) == EXPECTED


def test_everything_else_that_a_span_tells_arrives(tmp_path):
    """Instructions, conversation, user, cost, first token, documents, an error, and fields kept elsewhere."""
    found = parse(
        tmp_path,
        span(
            {
                **CALL,
                "gen_ai.system_instructions": '[{"type": "text", "content": "Be brief."}]',
                "gen_ai.input.messages": [
                    {"role": "user", "parts": [{"type": "text", "content": "Hi"}, {"type": "blob"}]}
                ],
                "gen_ai.request.stop_sequences": ["\n"],
                "gen_ai.request.choice.count": 2,
                "gen_ai.response.time_to_first_chunk": 0.25,
                "gen_ai.conversation.id": "c-1",
                "user.id": "ann",
                "llm.cost.total": 0.01,
                "retrieval.documents.1.document.content": "second",
                "retrieval.documents.0.document.id": "d",
                "retrieval.documents.0.document.content": "first",
                "http.route": "/help",
            },
            status={"code": 2},
            events=[{"name": "exception", "attributes": listed({"exception.type": "RateLimitError"})}],
        ),
        fields={"route": 'attributes["http.route"]'},
        deployment="chat",
    )
    assert found.messages == (
        Message(role="system", content="Be brief."),
        Message(role="user", content="Hi\n[blob]"),
    )
    assert found.parameters == {"stop": ["\n"], "n": 2}
    assert (found.ttft_ms, found.cost_usd, found.conversation_id, found.user) == (250.0, 0.01, "c-1", "ann")
    assert found.documents == (Document(content="first", document_id="d"), Document(content="second"))
    assert (found.status, found.error_type, found.response_text) == ("error", "RateLimitError", None)
    assert (found.route, found.deployment) == ("/help", "chat")


def test_spans_without_texts_are_request_logs(tmp_path):
    """vLLM writes no texts; an exception that was handled is no error of the call."""
    found = parse(
        tmp_path,
        span(
            {
                "gen_ai.response.model": "llama",
                "gen_ai.latency.time_to_first_token": 0.1,
                "gen_ai.latency.time_in_queue": 0.0125,
            },
            events=[{"name": "exception", "attributes": listed({"exception.type": "Retry"})}],
        ),
    )
    assert (found.model, found.messages, found.response_text, found.ttft_ms) == ("llama", (), None, 100.0)
    assert (found.status, found.error_type, found.tags["queue_ms"]) == ("ok", None, "12.5")


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"http.request.method": "POST"}, "calls no model"),
        ({"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "m"}, "embedding"),
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m"}, "agent"),
        ({"openinference.span.kind": "CHAIN", "llm.model_name": "m"}, "chain"),
        ({"llm.request.type": "rerank", "gen_ai.request.model": "m"}, "embedding"),
    ],
)
def test_other_spans_are_passed_over(tmp_path, attributes, kind):
    """They are no errors, and their kind is said in words of llmmon's."""
    with pytest.raises(NotARequestError, match=kind):
        parse(tmp_path, span(attributes))


def test_spans_of_a_line_are_cut_out_byte_for_byte_at_their_offsets(tmp_path):
    """What is kept of a broken span is that span, with the offset of its first byte; its neighbours are read."""
    whole = line(span(CALL, 1), span({**CALL, "x": "BROKEN"}, 2), span(CALL, 3)).replace(b"BROKEN", b"\xff")
    source, found = rows(tmp_path, whole, line(span(CALL, 4)))
    content = (tmp_path / "traces.json").read_bytes()
    assert len(found) == 4
    for number, row in enumerate(found, 1):
        start = b'{"traceId": "%b", "spanId": "%016x"' % (TRACE.encode(), number)
        assert content[row.offset :].startswith(start)
        assert row.raw.startswith(b'{"resource":{"attributes"')
        assert content[row.offset : row.offset + 300] in row.raw
    with pytest.raises(BadRowError) as caught:
        source.parse(found[1], source="otel")
    assert caught.value.code == "invalid_utf8"
    assert [source.parse(found[n], source="otel").request_id[-1] for n in (0, 2, 3)] == ["1", "3", "4"]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{}", "malformed_otlp"),
        (b'{"resourceSpans": null}', "malformed_otlp"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [}]}]}', "malformed_json"),
        (b'{"resourceSpans": ' + b"[" * 50_000, "too_deep"),
        (b'{"resourceLogs": []}', "not_a_request"),
        (b'{"resourceMetrics": []}', "not_a_request"),
        (line([1]), "wrong_type"),
        (line({"attributes": 3}), "malformed_otlp"),
        (line(span(CALL, startTimeUnixNano="0")), "time_out_of_range"),
        (line(span(CALL, startTimeUnixNano="9" * 19)), "time_out_of_range"),
        (line(span(CALL, startTimeUnixNano="9" * 40)), "time_out_of_range"),
        (line(span(CALL, startTimeUnixNano=None)), "missing_timestamp"),
        (line(span(CALL, endTimeUnixNano=str(START))), "number_out_of_range"),
        (line(span(CALL, traceId=None)), "missing_request_id"),
        (line(span(CALL, spanId="a\0b")), "malformed_id"),
        (line(span({"gen_ai.operation.name": "chat"})), "missing_model"),
        (line(span({**CALL, "gen_ai.operation.name": ["chat"]})), "wrong_type"),
        (line(span({**CALL, "gen_ai.usage.input_tokens": "many"})), "wrong_type"),
        (line(span({**CALL, "gen_ai.usage.input_tokens": -1})), "number_out_of_range"),
    ],
)
def test_what_is_no_span_is_refused_with_its_code(tmp_path, raw, code):
    """Of a line that cannot be cut into spans the whole line is kept."""
    source, (row,) = rows(tmp_path, raw)
    with pytest.raises(BadRowError) as caught:
        source.parse(row, source="otel")
    assert caught.value.code == code


def test_a_huge_resource_does_not_multiply(tmp_path):
    """A resource of 1 MiB and a thousand spans is refused as one line, not copied a thousand times."""
    raw = line(*(span(CALL, number) for number in range(1000)), resource={"x": "y" * 2**20})
    source, (row,) = rows(tmp_path, raw)
    assert row.raw == raw
    with pytest.raises(BadRowError, match="resources that are not huge"):
        source.parse(row, source="otel")


def test_an_attribute_nested_too_deeply_is_refused(tmp_path):
    """Typed values may hold each other without end."""
    value = {"stringValue": "x"}
    for _ in range(40):
        value = {"arrayValue": {"values": [value]}}
    broken = {**span(CALL), "attributes": [{"key": "x", "value": value}, *listed(CALL)]}
    with pytest.raises(BadRowError) as caught:
        parse(tmp_path, broken)
    assert caught.value.code == "too_deep"


def test_texts_that_only_look_like_json_stay(tmp_path):
    """An answer in JSON is the answer; a text that its exporter has cut is kept as it is."""
    cut = '[{"role": "user", "parts": [{"type": "te'
    answer = json.dumps({"text": "a", "ok": True})
    found = parse(
        tmp_path,
        span(
            {
                **CALL,
                "gen_ai.input.messages": cut,
                "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": answer}]),
                "llm.invocation_parameters": '{"a": ',
            }
        ),
    )
    assert (found.prompt, found.response_text) == (cut, answer)
    assert found.parameters == {"invocation_parameters": '{"a": '}
    assert parse(tmp_path, span({**CALL, "output.value": answer})).response_text == answer


def test_a_lone_surrogate_in_one_span_leaves_its_neighbours_as_they_are(tmp_path):
    """It is cleaned and named; pairs of escapes in other spans and in the resource stay what they are."""
    texts = ["\\ud83d\\ude00", "a\\ud800b", "\\udc00", "plain"]
    spans = [span({**CALL, "input.value": f"MARK{n}"}, n) for n in range(len(texts))]
    raw = line(*spans, resource={"service.name": "MARK0"})
    for number, escaped in enumerate(texts):
        raw = raw.replace(b"MARK%d" % number, escaped.encode())
    source, found = rows(tmp_path, raw)
    logs = [source.parse(row, source="otel") for row in found]
    assert [log.prompt for log in logs] == ["\U0001f600", "a\ufffdb", "\ufffd", "plain"]
    assert [bool(log.cleaned) for log in logs] == [False, True, True, False]
    assert {log.tags["service"] for log in logs} == {"\U0001f600"}
    content = (tmp_path / "traces.json").read_bytes()
    assert all(content[row.offset :].startswith(b'{"traceId"') for row in found)


@pytest.mark.parametrize("name", ["gen_ai.system_instructions", "input.value", "output.value", "gen_ai.input.messages"])
@pytest.mark.parametrize("depth", [400, 900, 990, 1000, 100_000])
def test_json_in_a_text_may_be_nested_at_will(tmp_path, name, depth):
    """It is read, kept as text or refused, whatever the depth at which Python gives up."""
    given = {**CALL, "input.value": "Hi", name: '{"a":' * depth + "1" + "}" * depth}
    try:
        fate = parse(tmp_path, span(given)).model
    except BadRowError as error:
        fate = error.code
    assert fate in ({"gpt-4o"} if depth == 400 else {"gpt-4o", "too_deep"})
