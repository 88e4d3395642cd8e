"""Lines of the OpenTelemetry Collector's file exporter, for tests."""

from __future__ import annotations

import json
from typing import Any

START = 1687842007_123456789
TRACE = "5b8efff798038103d269b633813fc60c"


def typed(value: Any) -> dict[str, Any]:
    """Return a value as OTLP/JSON writes it; whole numbers are texts."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [typed(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": listed(value)}}
    return {"stringValue": value}


def listed(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    """Return attributes as OTLP lists them."""
    return [{"key": key, "value": typed(value)} for key, value in attributes.items()]


def span(attributes: dict[str, Any], number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return one span that took 1.5 s; `changes` replace its keys."""
    return {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "name": "chat gpt-4o",
        "kind": 3,
        "startTimeUnixNano": str(START + number * 10**9),
        "endTimeUnixNano": str(START + number * 10**9 + 1_500_000_000),
        "attributes": listed(attributes),
        "status": {},
        **changes,
    }


def line(*spans: Any, resource: dict[str, Any] | None = None) -> bytes:
    """Return one line of the exporter with these spans."""
    about = {"service.name": "help-desk", "deployment.environment.name": "prod"} if resource is None else resource
    scopes = [{"scope": {"name": "openai"}, "spans": list(spans)}]
    traces = {"resourceSpans": [{"resource": {"attributes": listed(about)}, "scopeSpans": scopes}]}
    return json.dumps(traces, ensure_ascii=False).encode()


def request_spans() -> dict[str, dict[str, Any]]:
    """Return the same request as each convention writes it: attributes, and other changes of the span."""
    asked = [{"role": "user", "content": "Is 7 prime?"}]
    parts = [{"role": "user", "parts": [{"type": "text", "content": "Is 7 prime?"}]}]
    said = [{"role": "assistant", "parts": [{"type": "text", "content": "Yes."}], "finish_reason": "stop"}]
    old = {
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.usage.prompt_tokens": 12,
        "gen_ai.usage.completion_tokens": 2,
        "gen_ai.request.temperature": 0.5,
    }
    middle = {
        **{key: value for key, value in old.items() if "usage" not in key},
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 2,
    }
    now = {"gen_ai.provider.name": "openai", **{key: item for key, item in middle.items() if key != "gen_ai.system"}}
    inference = {
        "openinference.span.kind": "LLM",
        "llm.provider": "openai",
        "llm.model_name": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "llm.token_count.prompt": 12,
        "llm.token_count.completion": 2,
        "llm.invocation_parameters": '{"model": "gpt-4o", "temperature": 0.5}',
    }
    answer = {"id": "c-1", "choices": [{"message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}]}
    event = {"gen_ai.event.content": '{"content": "Is 7 prime?"}'}
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": "Yes.", "role": "assistant"}}
    return {
        "attributes as JSON": {
            "attributes": {
                **now,
                "gen_ai.input.messages": json.dumps(parts),
                "gen_ai.output.messages": json.dumps(said),
            }
        },
        "typed attributes": {
            "attributes": {**now, "gen_ai.input.messages": parts, "gen_ai.output.messages": said},
        },
        "one event with everything": {
            "attributes": now,
            "events": [
                {
                    "name": "gen_ai.client.inference.operation.details",
                    "attributes": listed({"gen_ai.input.messages": parts, "gen_ai.output.messages": said}),
                }
            ],
        },
        "an event for each message": {
            "attributes": middle,
            "events": [
                {"name": "gen_ai.user.message", "attributes": listed(event)},
                {"name": "gen_ai.choice", "attributes": listed({"gen_ai.event.content": json.dumps(choice)})},
            ],
        },
        "events of 1.27": {
            "attributes": {**old, "gen_ai.response.finish_reasons": ["stop"]},
            "events": [
                {"name": "gen_ai.content.prompt", "attributes": listed({"gen_ai.prompt": json.dumps(asked)})},
                {
                    "name": "gen_ai.content.completion",
                    "attributes": listed({"gen_ai.completion": '[{"role": "assistant", "content": "Yes."}]'}),
                },
            ],
        },
        "OpenLLMetry": {
            "attributes": {
                **old,
                "llm.request.type": "chat",
                "gen_ai.prompt.0.role": "user",
                "gen_ai.prompt.0.content": "Is 7 prime?",
                "gen_ai.completion.0.role": "assistant",
                "gen_ai.completion.0.content": "Yes.",
                "gen_ai.completion.0.finish_reason": "stop",
            }
        },
        "OpenInference messages": {
            "attributes": {
                **inference,
                "llm.input_messages.0.message.role": "user",
                "llm.input_messages.0.message.contents.0.message_content.type": "text",
                "llm.input_messages.0.message.contents.0.message_content.text": "Is 7 prime?",
                "llm.output_messages.0.message.role": "assistant",
                "llm.output_messages.0.message.content": "Yes.",
                "llm.finish_reason": "stop",
                "input.value": "not this",
            }
        },
        "OpenInference values": {
            "attributes": {
                **inference,
                "input.value": json.dumps({"messages": asked, "model": "gpt-4o"}),
                "output.value": json.dumps(answer),
            }
        },
    }
