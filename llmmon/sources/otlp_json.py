"""Request logs as OpenTelemetry traces: the JSON lines of the Collector's file exporter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import msgspec

from llmmon.errors import BadRowError, NotARequestError
from llmmon.model import RequestLog
from llmmon.sources import values
from llmmon.sources.base import Position, RawBatch, RawRow, sources
from llmmon.sources.conversation import read_exchange, turns
from llmmon.sources.enclosed_rows import enclosed_rows
from llmmon.sources.files import read_new_lines
from llmmon.sources.flat_row import request_of
from llmmon.sources.json_text import read_object, unpacked
from llmmon.sources.mapped_files import ExportedFile
from llmmon.sources.otlp_attributes import Attributes, attributes_of, span_attributes

_GENERATIONS: Final = frozenset({"chat", "text_completion", "completion", "generate_content"})
_NO_GENERATIONS: Final = frozenset(
    {
        *("embeddings", "embedding", "rerank", "retrieval", "execute_tool", "plan"),
        *("create_agent", "invoke_agent", "invoke_workflow"),
    }
)
_MODELS: Final = ("gen_ai.request.model", "llm.model_name", "llm.request.model", "gen_ai.response.model")


def _attribute(*names: str, **options: Any) -> dict[str, Any]:
    """Return the field that the first of these attributes of a span gives."""
    return {"path": [f'attributes["{name}"]' for name in names], **options}


# by field: the present names of OpenTelemetry, its older ones and vLLM's, then OpenInference's and OpenLLMetry's
_FIELDS: Final[Mapping[str, Any]] = {
    "request_id": {"template": "{span.traceId}-{span.spanId}"},
    "occurred_at": {"path": "span.startTimeUnixNano", "unit": "ns"},
    "latency_ms": {"path": "span.endTimeUnixNano", "since": "span.startTimeUnixNano", "unit": "ns"},
    "ttft_ms": _attribute(
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.server.time_to_first_token",
        "gen_ai.latency.time_to_first_token",
        scale=1000,
    ),
    "model": _attribute(*_MODELS),
    "model_version": _attribute("gen_ai.response.model"),
    "messages": _attribute("gen_ai.input.messages", "gen_ai.prompt", "llm.input_messages", "input.value"),
    "response_text": _attribute("gen_ai.output.messages", "gen_ai.completion", "llm.output_messages", "output.value"),
    "documents": _attribute("retrieval.documents"),
    "finish_reason": {
        "path": ['attributes["gen_ai.response.finish_reasons"][0]', 'attributes["llm.finish_reason"]'],
    },
    "n_input_tokens": _attribute("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    "n_output_tokens": _attribute(
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"
    ),
    "cost_usd": _attribute("llm.cost.total"),
    "conversation_id": _attribute("gen_ai.conversation.id", "session.id"),
    "user": _attribute("user.id", "enduser.id"),
    "tags": {
        "provider": _attribute("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"),
        "service": 'resource["service.name"]',
        "queue_ms": _attribute("gen_ai.latency.time_in_queue", scale=1000),
        "environment": {"path": ['resource["deployment.environment.name"]', 'resource["deployment.environment"]']},
    },
}
_PARAMETERS: Final = (
    *((name, name) for name in ("temperature", "top_p", "top_k", "max_tokens", "seed", "stream")),
    *((name, name) for name in ("frequency_penalty", "presence_penalty")),
    *(("choice.count", "n"), ("stop_sequences", "stop")),
)


@sources.register("otlp_json")
@dataclass(frozen=True, kw_only=True, slots=True)
class OtlpJson(ExportedFile):
    """Spans of calls to a model, as the OpenTelemetry Collector's file exporter writes them.

    A line is one ExportTraceServiceRequest, plain or gzipped, on disk or at any fsspec URL, and holds any number of
    spans. A span is a request log when it follows the GenAI conventions of OpenTelemetry (the present ones or the older
    ones) or OpenInference and calls a language model. Other spans, and lines of logs or metrics, are counted and passed
    over.

    Parameters
    ----------
    path : str
        A file, a glob such as ``otel/*.json``, or a URL such as ``s3://bucket/otel/*.json.gz``.
    deployment : str or None
        Deployment of every span; without it the mapped one, else the model.
    fields : mapping
        Fields that are kept elsewhere, as docs/logs.md explains; a path begins with ``attributes``, ``resource`` or
        ``span``: ``{route = 'resource["service.name"]'}``.

    Notes
    -----
    Inputs and outputs are taken from the span's attributes and from its own events. Log records are not joined to
    their spans: an exporter that writes contents there gives request logs without texts.
    """

    plugin_name: ClassVar[str]
    known: ClassVar[Mapping[str, Any]] = _FIELDS

    def read(self, position: Position | None, *, max_rows: int) -> Iterator[RawBatch]:
        """Yield the spans that were not read before, each with what its resource is."""
        return read_new_lines(self.path, position, max_rows=max_rows, rows_of=_spans_of)

    def parse(self, row: RawRow, *, source: str) -> RequestLog:
        """Turn one span into a request log, or raise `NotARequestError` or `BadRowError`."""
        line, cleaned = read_object(row.raw)
        if "span" not in line:
            raise _no_span(line)
        span, resource = values.mapping(line["span"], "span"), values.mapping(line.get("resource"), "resource")
        changed = list(cleaned)
        attributes = span_attributes(span, changed)
        _refuse_other_spans(attributes)
        about = {"span": span, "resource": attributes_of(resource.get("attributes")), "attributes": attributes}
        found = read_exchange(self._apply(about, row.raw), changed)
        if found["messages"]:
            found["messages"] = [*_instructions(attributes, changed), *found["messages"]]
        found["parameters"] = found.get("parameters") or _parameters(attributes, changed)
        found["error_type"] = found.get("error_type") or _error_type(span, attributes)
        return request_of(found, changed, source=source, deployment=self.deployment, has_prompts=False)


class _ScopeSpans(msgspec.Struct):
    spans: list[msgspec.Raw] = []


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: msgspec.Raw = msgspec.Raw(b"{}")
    scope_spans: list[_ScopeSpans] = []


class _Traces(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans]


_decode: Final = msgspec.json.Decoder(_Traces).decode


def _spans_of(line: RawRow) -> list[RawRow]:
    """Return the spans of a line, each with its resource; a line that cannot be cut stays whole."""
    return enclosed_rows(
        line,
        _decode,
        lambda traces: (
            (b'{"resource":%b,"span":' % bytes(resource_spans.resource), bytes(span), b"}")
            for resource_spans in traces.resource_spans
            for scope_spans in resource_spans.scope_spans
            for span in scope_spans.spans
        ),
    )


def _no_span(line: Mapping[str, Any]) -> BadRowError:
    if "resourceSpans" in line:
        return BadRowError(
            "malformed_otlp", "resourceSpans: expected lists of scopeSpans and spans, and resources that are not huge"
        )
    if not {"resourceLogs", "resourceMetrics", "resourceProfiles"}.isdisjoint(line):
        return NotARequestError("OpenTelemetry line without traces")
    return BadRowError("malformed_otlp", "resourceSpans: missing; expected a line of the Collector's file exporter")


def _refuse_other_spans(attributes: Attributes) -> None:
    kind, *operations = (
        values.name(attributes.get(name), name)
        for name in ("openinference.span.kind", "gen_ai.operation.name", "llm.request.type")
    )
    operation = operations[0] or operations[1]
    if operation in _GENERATIONS:
        return
    if operation in _NO_GENERATIONS or (kind is not None and kind.upper() != "LLM"):
        raise NotARequestError("span of an embedding, retrieval, tool, agent or chain")
    if kind is None and not any(attributes.get(name) for name in _MODELS):
        raise NotARequestError("span that calls no model")


def _instructions(attributes: Attributes, cleaned: list[str]) -> list[dict[str, str]]:
    given = unpacked(attributes.get("gen_ai.system_instructions"), "system_instructions", cleaned)
    return turns([{"role": "system", "parts": given}] if isinstance(given, list) else given, role="system") or []


def _parameters(attributes: Attributes, cleaned: list[str]) -> dict[str, Any]:
    asked = {name: attributes.get(f"gen_ai.request.{key}") for key, name in _PARAMETERS}
    found = {name: value for name, value in asked.items() if value is not None}
    given = unpacked(attributes.get("llm.invocation_parameters"), "invocation_parameters", cleaned)
    if found or given is None:
        return found
    if not isinstance(given, dict):  # an exporter has cut the text
        return {"invocation_parameters": given}
    return {name: value for name, value in given.items() if name not in {"model", "messages"}}


def _error_type(span: Mapping[str, Any], attributes: Attributes) -> str | None:
    told = attributes.get("error.type")
    if isinstance(told, str) and told:
        return told
    status = values.mapping(span.get("status"), "span.status")
    if status.get("code") not in (2, "STATUS_CODE_ERROR"):
        return None
    raised = attributes.get("exception.type")
    return raised if isinstance(raised, str) and raised else "error"
