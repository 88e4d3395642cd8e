"""A flat row, llmmon's own field names to values, into a request log; shared by tables and mapped files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from llmmon.errors import BadRowError
from llmmon.model import Message, RequestLog
from llmmon.sources import values
from llmmon.sources.json_text import read_any

REQUIRED: Final = ("request_id", "occurred_at", "model")
FIELDS: Final = (
    *REQUIRED,
    *("deployment", "model_version", "messages", "prompt", "documents", "parameters", "response_text"),
    *("reference_answer", "finish_reason", "n_input_tokens", "n_output_tokens", "ttft_ms", "latency_ms", "error_type"),
    *("cost_usd", "feedback", "route", "tenant", "language", "user", "conversation_id", "groups", "tags"),
)


def request_of(
    found: Mapping[str, Any], cleaned: list[str], *, source: str, deployment: str | None, has_prompts: bool = True
) -> RequestLog:
    """Return the request log of one row.

    Parameters
    ----------
    found : mapping
        Values by the names in `FIELDS`; texts may hold JSON where JSON is expected.
    cleaned : list of str
        Paths at which text was changed because Postgres refuses it; those found here are added.
    deployment : str or None
        Deployment of every row; without it the row's own, else its model.
    has_prompts : bool
        Whether a row without a prompt is refused; a trace of times and token counts has none.

    Raises
    ------
    BadRowError
        When a value is missing or of the wrong kind.
    """
    get = found.get
    model = values.required(values.name(get("model"), "model"), "model")
    error_type = values.name(get("error_type"), "error_type")
    prompt = values.text(get("prompt"), "prompt")
    turns: tuple[Message, ...] = ()
    if prompt is not None:
        turns = (Message(role="user", content=prompt),)
    elif has_prompts or get("messages") is not None:
        turns = values.messages(_json(get("messages"), "messages", cleaned), "messages")
    request_id = values.required(values.name(get("request_id"), "request_id"), "request_id")
    if cleaned and "\ufffd" in request_id:
        raise BadRowError("malformed_id", "request_id: holds NUL or a lone surrogate, so it cannot tell requests apart")
    return RequestLog(
        source=source,
        request_id=request_id,
        occurred_at=values.moment(get("occurred_at"), "occurred_at"),
        deployment=deployment or values.name(get("deployment"), "deployment") or model,
        model=model,
        model_version=values.name(get("model_version"), "model_version"),
        messages=turns,
        documents=values.documents(_json(get("documents"), "documents", cleaned), "documents"),
        parameters=values.plain(
            values.mapping(_json(get("parameters"), "parameters", cleaned), "parameters"), "parameters"
        ),
        response_text=values.text(get("response_text"), "response_text"),
        reference_answer=values.text(get("reference_answer"), "reference_answer"),
        finish_reason=values.name(get("finish_reason"), "finish_reason"),
        n_input_tokens=values.count(get("n_input_tokens"), "n_input_tokens"),
        n_output_tokens=values.count(get("n_output_tokens"), "n_output_tokens"),
        ttft_ms=values.number(get("ttft_ms"), "ttft_ms", low=0),
        latency_ms=values.number(get("latency_ms"), "latency_ms", low=0),
        status="ok" if error_type is None else "error",
        error_type=error_type,
        cost_usd=values.number(get("cost_usd"), "cost_usd"),
        feedback=values.feedback(get("feedback"), "feedback"),
        route=values.name(get("route"), "route"),
        tenant=values.name(get("tenant"), "tenant"),
        language=values.name(get("language"), "language"),
        user=values.name(get("user"), "user"),
        conversation_id=values.name(get("conversation_id"), "conversation_id"),
        groups=values.labels(_json(get("groups"), "groups", cleaned), "groups"),
        tags=values.labels(_json(get("tags"), "tags", cleaned), "tags"),
        cleaned=tuple(cleaned),
    )


def _json(value: Any, field: str, cleaned: list[str]) -> Any:
    """Return the JSON that a text holds, or what was JSON already."""
    if not isinstance(value, str):
        return value
    changed: list[str] = []
    found = read_any(value.encode(), changed)
    cleaned += [f"{field}.{path}" for path in changed]
    return found
