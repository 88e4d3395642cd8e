"""Request logs as JSON lines, one object per line in the shape of OpenAI's API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, NamedTuple

from llmmon.errors import BadRowError
from llmmon.model import RequestLog
from llmmon.sources import values
from llmmon.sources.base import Position, RawBatch, RawRow, sources
from llmmon.sources.files import read_new_lines
from llmmon.sources.json_text import read_object

_KEYS: Final = (
    *("id", "timestamp", "deployment", "route", "tenant", "user", "language", "conversation_id", "request", "response"),
    *("error", "latency_ms", "ttft_ms", "cost_usd", "context", "reference_answer", "groups", "tags", "feedback"),
)


@sources.register("openai_jsonl")
@dataclass(frozen=True, kw_only=True, slots=True)
class OpenaiJsonl:
    """JSON lines, plain or gzipped, on disk or at any fsspec URL, read on from where reading stopped.

    A line is ``{"id", "timestamp", "request": {"model", "messages", ...}, "response" or "error", ...}``. Optional are
    ``deployment``, ``route``, ``tenant``, ``user``, ``language``, ``conversation_id``, ``latency_ms``, ``ttft_ms``,
    ``cost_usd``, ``context`` (a list of ``{"id", "content"}``), ``reference_answer``, ``groups``, ``tags`` and
    ``feedback``. Unknown keys are passed over.

    Parameters
    ----------
    path : str
        A file, a glob such as ``logs/*.jsonl.gz``, or a URL such as ``s3://bucket/logs/*.jsonl``.
    deployment : str or None
        Deployment of every line; without it the line's own ``deployment``, else its ``request.model``.
    fields : mapping of str to str
        Where this log keeps a key, if elsewhere: ``{timestamp = "created_at", request = "body.request"}``.

    Notes
    -----
    NUL and lone surrogates, which Postgres refuses, become U+FFFD, and ``cleaned`` names the place; in ``id`` they are
    refused, because two ids could become one. ``model_version`` is what the response says the model was.
    """

    plugin_name: ClassVar[str]

    path: str
    deployment: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.path:
            raise ValueError("path: expected a file, a glob or a URL")
        unknown = sorted(set(self.fields) - set(_KEYS))
        if unknown:
            raise ValueError(f"fields: no {', '.join(unknown)}; there are: {', '.join(_KEYS)}")

    def read(self, position: Position | None, *, max_rows: int) -> Iterator[RawBatch]:
        """Yield the lines that were not read before."""
        return read_new_lines(self.path, position, max_rows=max_rows)

    def parse(self, row: RawRow, *, source: str) -> RequestLog:
        """Turn one line into a request log, or raise `BadRowError`."""
        found, cleaned = read_object(row.raw)
        if self.fields:
            found = {**found, **{key: _at(found, path) for key, path in self.fields.items()}}
        get = found.get
        request = values.mapping(get("request"), "request")
        model = values.required(values.name(request.get("model"), "request.model"), "request.model")
        answer, error = _answer(get("response")), get("error")
        if answer is None and error is None:
            raise BadRowError("missing_response", "neither response nor error; every request needs one of them")
        answer = answer or _NO_ANSWER
        if cleaned and self.fields.get("id", "id") in cleaned:
            raise BadRowError("malformed_id", "id: holds NUL or a lone surrogate, so it cannot tell requests apart")
        return RequestLog(
            source=source,
            request_id=values.required(values.name(get("id"), "id"), "id"),
            occurred_at=values.moment(get("timestamp"), "timestamp"),
            deployment=self.deployment or values.name(get("deployment"), "deployment") or model,
            model=model,
            model_version=answer.model,
            messages=values.messages(request.get("messages"), "request.messages"),
            documents=values.documents(get("context"), "context"),
            parameters=values.plain(
                {key: item for key, item in request.items() if key not in {"model", "messages"}}, "request"
            ),
            response_text=answer.text,
            reference_answer=values.text(get("reference_answer"), "reference_answer"),
            finish_reason=answer.finish_reason,
            n_input_tokens=answer.n_input_tokens,
            n_output_tokens=answer.n_output_tokens,
            ttft_ms=values.number(get("ttft_ms"), "ttft_ms", low=0),
            latency_ms=values.number(get("latency_ms"), "latency_ms", low=0),
            status="ok" if error is None else "error",
            error_type=None if error is None else _error_type(error),
            cost_usd=values.number(get("cost_usd"), "cost_usd"),
            feedback=values.feedback(get("feedback"), "feedback"),
            route=values.name(get("route"), "route"),
            tenant=values.name(get("tenant"), "tenant"),
            language=values.name(get("language"), "language"),
            user=values.name(get("user"), "user"),
            conversation_id=values.name(get("conversation_id"), "conversation_id"),
            groups=values.labels(get("groups"), "groups"),
            tags=values.labels(get("tags"), "tags"),
            cleaned=cleaned,
        )


class _Answer(NamedTuple):
    text: str | None = None
    model: str | None = None
    finish_reason: str | None = None
    n_input_tokens: int | None = None
    n_output_tokens: int | None = None


_NO_ANSWER: Final = _Answer()


def _answer(value: Any) -> _Answer | None:
    if value is None:
        return None
    response = values.mapping(value, "response")
    usage = values.mapping(response.get("usage"), "response.usage")
    choices = response.get("choices") or [{}]
    if not isinstance(choices, list):
        raise BadRowError("wrong_type", "response.choices: expected a list")
    choice = values.mapping(choices[0], "response.choices[0]")
    message = values.mapping(choice.get("message"), "response.choices[0].message")
    written = values.content(message.get("content"), "response.choices[0].message.content")
    return _Answer(
        text=written if written is not None else values.text(message.get("refusal"), "response...message.refusal"),
        model=values.name(response.get("model"), "response.model"),
        finish_reason=values.name(choice.get("finish_reason"), "response.choices[0].finish_reason"),
        n_input_tokens=values.count(usage.get("prompt_tokens"), "response.usage.prompt_tokens"),
        n_output_tokens=values.count(usage.get("completion_tokens"), "response.usage.completion_tokens"),
    )


def _error_type(error: Any) -> str:
    if isinstance(error, str):
        return "error"
    details = values.mapping(error, "error")
    return values.name(details.get("type") or details.get("code"), "error.type") or "error"


def _at(found: Mapping[str, Any], path: str) -> Any:
    value: Any = found
    for key in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value
