"""Payloads of LiteLLM's callbacks and rows of its table become request logs."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from llmmon.errors import BadRowError, NotARequestError
from llmmon.model import Message, RequestLog
from llmmon.sources.base import RawRow
from llmmon.sources.litellm_jsonl import LitellmJsonl

PAYLOAD = {
    "id": "chatcmpl-1",
    "trace_id": "t-1",
    "session_id": "s-1",
    "call_type": "acompletion",
    "stream": True,
    "response_cost": 0.002,
    "status": "success",
    "custom_llm_provider": "openai",
    "total_tokens": 14,
    "prompt_tokens": 12,
    "completion_tokens": 2,
    "startTime": 1687842007.25,
    "endTime": 1687842008.75,
    "completionStartTime": 1687842007.5,
    "model": "gpt-4o",
    "model_id": "m-1",
    "model_group": "chat",
    "metadata": {"user_api_key_alias": "web", "user_api_key_team_alias": "help-desk", "user_api_key_user_id": "bob"},
    "cache_hit": False,
    "request_tags": ["a", "b"],
    "end_user": "ann",
    "messages": [{"role": "user", "content": "Is 7 prime?"}],
    "response": {
        "id": "chatcmpl-1",
        "model": "gpt-4o-2024-08-06",
        "choices": [{"finish_reason": "stop", "index": 0, "message": {"role": "assistant", "content": "Yes."}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 2},
    },
    "error_str": None,
    "error_information": {"error_code": "", "error_class": "", "error_message": ""},
    "model_parameters": {"temperature": 0.5, "stream": True},
}
EXPECTED = RequestLog(
    source="proxy",
    request_id="chatcmpl-1",
    occurred_at=datetime(2023, 6, 27, 5, 0, 7, 250_000, UTC),
    deployment="chat",
    model="gpt-4o",
    model_version="gpt-4o-2024-08-06",
    messages=(Message(role="user", content="Is 7 prime?"),),
    parameters={"temperature": 0.5, "stream": True},
    response_text="Yes.",
    finish_reason="stop",
    n_input_tokens=12,
    n_output_tokens=2,
    ttft_ms=250.0,
    latency_ms=1500.0,
    cost_usd=0.002,
    user="ann",
    tenant="help-desk",
    conversation_id="s-1",
    tags={"provider": "openai", "key": "web", "cache_hit": "false"},
)


def parse(line, **parameters):
    """Parse one line given as a dict."""
    source = LitellmJsonl(path="litellm.jsonl", **parameters)
    return source.parse(RawRow(json.dumps(line).encode(), "litellm.jsonl", 0), source="proxy")


def test_a_payload_of_a_callback_becomes_a_request_log():
    """Every field that LiteLLM logs and llmmon knows."""
    assert parse(PAYLOAD) == EXPECTED


def test_a_row_of_the_spend_logs_becomes_the_same():
    """Columns of the table, with times as text and JSON as text, as a dump writes them."""
    row = {
        **{key: PAYLOAD[key] for key in ("call_type", "model", "model_group", "custom_llm_provider", "end_user")},
        **{key: PAYLOAD[key] for key in ("prompt_tokens", "completion_tokens", "session_id", "status")},
        "request_id": "chatcmpl-1",
        "spend": 0.002,
        "startTime": "2023-06-27 05:00:07.25",
        "endTime": "2023-06-27 05:00:08.75",
        "completionStartTime": "2023-06-27 05:00:07.5",
        "user": "bob",
        "team_id": "team-1",
        "cache_hit": "false",
        "metadata": json.dumps(PAYLOAD["metadata"]),
        "messages": "{}",
        "proxy_server_request": json.dumps({"messages": PAYLOAD["messages"]}),
        "response": json.dumps({**PAYLOAD["response"], "model": None}),
    }
    found = parse(row)
    assert found.messages == ()
    row["messages"] = None
    found = parse(row)
    assert (found.messages, found.response_text, found.ttft_ms) == (EXPECTED.messages, "Yes.", 250.0)
    assert (found.occurred_at, found.cost_usd, found.user, found.tenant) == (
        EXPECTED.occurred_at,
        0.002,
        "ann",
        "help-desk",
    )


@pytest.mark.parametrize(
    ("changes", "error_type"),
    [
        ({"error_information": {"error_class": "RateLimitError", "error_code": "429"}}, "RateLimitError"),
        ({"error_information": {"error_class": "", "error_code": 429}}, "429"),
        ({}, "error"),
    ],
)
def test_what_a_failed_call_did_not_measure_is_absent(changes, error_type):
    """LiteLLM writes 0 tokens and 0 dollars there."""
    found = parse({**PAYLOAD, "status": "failure", "prompt_tokens": 0, "response_cost": 0, "response": {}, **changes})
    assert (found.status, found.error_type) == ("error", error_type)
    assert (found.n_input_tokens, found.cost_usd, found.ttft_ms, found.response_text) == (None, None, None, None)
    assert found.latency_ms == 1500.0


@pytest.mark.parametrize(
    "changes",
    [
        {"stream": False},
        {"stream": None, "completionStartTime": PAYLOAD["endTime"]},
        {"stream": True, "completionStartTime": None},
    ],
)
def test_the_end_of_a_call_is_no_time_to_a_first_token(changes):
    """LiteLLM writes it there for calls that were not streamed."""
    assert parse({**PAYLOAD, **changes}).ttft_ms is None


@pytest.mark.parametrize("messages", [None, {}, [], "", "{}"])
def test_a_call_whose_texts_are_withheld_is_a_request(messages):
    """Its figures count."""
    found = parse({**PAYLOAD, "messages": messages, "response": "redacted-by-litellm"})
    assert (found.messages, found.response_text, found.latency_ms) == ((), "redacted-by-litellm", 1500.0)


def test_calls_that_generate_no_text_are_passed_over():
    """Whatever they are called; a call without a type is read."""
    for call_type in ("aembedding", "image_generation", "_arealtime", "create_file", "x" * 1000):
        with pytest.raises(NotARequestError, match=r"^LiteLLM call that generates no text$"):
            parse({**PAYLOAD, "call_type": call_type})
    for call_type in ("completion", "aresponses", "anthropic_messages", "agenerate_content", None, ""):
        assert parse({**PAYLOAD, "call_type": call_type}).request_id == "chatcmpl-1"


def test_answers_of_other_apis_are_read():
    """OpenAI's Responses with a step of reasoning, Anthropic's messages, Gemini's candidates, a call of a tool."""
    said = [{"type": "output_text", "text": "Yes."}]
    for response, finish_reason in [
        ({"output": [{"type": "reasoning", "summary": []}, {"role": "assistant", "content": said}]}, None),
        ({"role": "assistant", "content": [{"type": "text", "text": "Yes."}], "stop_reason": "end_turn"}, "end_turn"),
        ({"candidates": [{"content": {"role": "model", "parts": [{"text": "Yes."}]}, "finishReason": "STOP"}]}, "STOP"),
        ({"choices": [{"text": "Yes.", "finish_reason": "length"}]}, "length"),
    ]:
        found = parse({**PAYLOAD, "response": response})
        assert (found.response_text, found.finish_reason) == ("Yes.", finish_reason)
    tool = {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}}]}
    assert parse({**PAYLOAD, "response": tool}).response_text == "[tool_call]"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"id": None}, "missing_request_id"),
        ({"id": "a\0"}, "malformed_id"),
        ({"startTime": None}, "missing_timestamp"),
        ({"startTime": "soon"}, "malformed_time"),
        ({"endTime": 1687842000}, "number_out_of_range"),
        ({"model": None, "model_group": None}, "missing_model"),
        ({"prompt_tokens": "twelve"}, "wrong_type"),
        ({"metadata": 3, "end_user": ["ann"]}, "wrong_type"),
    ],
)
def test_a_wrong_value_is_refused_with_its_code(changes, code):
    """The row is quarantined under it."""
    with pytest.raises(BadRowError) as caught:
        parse({**PAYLOAD, **changes})
    assert caught.value.code == code


def test_fields_may_be_kept_elsewhere():
    """A mapping replaces where a field is found."""
    found = parse(PAYLOAD, fields={"route": "request_tags[0]", "user": "metadata.user_api_key_user_id"}, deployment="d")
    assert (found.route, found.user, found.deployment) == ("a", "bob", "d")
