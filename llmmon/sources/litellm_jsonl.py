"""Request logs of a LiteLLM proxy as JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from llmmon.errors import NotARequestError
from llmmon.model import RequestLog
from llmmon.sources.base import Position, RawBatch, RawRow, sources
from llmmon.sources.conversation import read_exchange
from llmmon.sources.files import read_new_lines
from llmmon.sources.flat_row import request_of
from llmmon.sources.json_text import read_object, unpacked
from llmmon.sources.mapped_files import ExportedFile

_GENERATIONS: Final = frozenset(
    {
        *("completion", "text_completion", "responses", "anthropic_messages", "generate_content"),
        *("generate_content_stream", "pass_through_endpoint", "llm_passthrough_route"),
    }
)
# by field: the name in a StandardLoggingPayload, then in a row of LiteLLM_SpendLogs
_FIELDS: Final[Mapping[str, Any]] = {
    "request_id": {"path": ["id", "request_id", "litellm_call_id"]},
    "occurred_at": "startTime",
    "latency_ms": {"path": "endTime", "since": "startTime"},
    "ttft_ms": {"path": "first_token_at", "since": "startTime", "when": "ok"},
    "deployment": {"path": ["model_group", "model"]},
    "model": {"path": ["model", "model_group"]},
    "model_version": {"path": "response.model", "when": "ok"},
    "messages": {"path": ["messages", "proxy_server_request.messages"]},
    "response_text": {"path": "response", "when": "ok"},
    "parameters": "model_parameters",
    # of a call that failed LiteLLM writes 0 where nothing was measured
    "n_input_tokens": {"path": "prompt_tokens", "when": "ok"},
    "n_output_tokens": {"path": "completion_tokens", "when": "ok"},
    "cost_usd": {"path": ["response_cost", "spend"], "when": "ok"},
    "error_type": "failure",
    "user": {"path": ["end_user", "metadata.user_api_key_end_user_id", "user", "metadata.user_api_key_user_id"]},
    "tenant": {"path": ["metadata.user_api_key_team_alias", "team_id", "metadata.user_api_key_team_id"]},
    "conversation_id": "session_id",
    "tags": {
        "provider": "custom_llm_provider",
        "key": {"path": ["metadata.user_api_key_alias"]},
        "cache_hit": "cache_hit",
    },
}


@sources.register("litellm_jsonl")
@dataclass(frozen=True, kw_only=True, slots=True)
class LitellmJsonl(ExportedFile):
    """Calls of a LiteLLM proxy, plain or gzipped, on disk or at any fsspec URL, one JSON object per line.

    A line is a StandardLoggingPayload, as LiteLLM's callbacks write it to files, S3 or GCS, or a row of the table
    LiteLLM_SpendLogs. Calls that generate no text (embeddings, images, files) are counted and passed over.

    Parameters
    ----------
    path : str
        A file, a glob such as ``litellm/*.jsonl``, or a URL such as ``s3://bucket/litellm/**/*.json``.
    deployment : str or None
        Deployment of every line; without it the line's ``model_group``, else its ``model``.
    fields : mapping
        Fields that are kept elsewhere, as docs/logs.md explains: ``{route = "metadata.requester_metadata.route"}``.

    Notes
    -----
    Messages may be absent or withheld, as LiteLLM does by default. LiteLLM writes the end of a call as the time of its
    first token when the call was not streamed; that is no time to a first token and is left out.
    """

    plugin_name: ClassVar[str]
    known: ClassVar[Mapping[str, Any]] = _FIELDS

    def read(self, position: Position | None, *, max_rows: int) -> Iterator[RawBatch]:
        """Yield the lines that were not read before."""
        return read_new_lines(self.path, position, max_rows=max_rows)

    def parse(self, row: RawRow, *, source: str) -> RequestLog:
        """Turn one line into a request log, or raise `NotARequestError` or `BadRowError`."""
        line, cleaned = read_object(row.raw)
        call_type = line.get("call_type")
        if isinstance(call_type, str) and call_type and not _generates(call_type):
            raise NotARequestError("LiteLLM call that generates no text")
        changed = list(cleaned)
        # a table's dump holds the JSON of its columns as text
        for key in ("metadata", "proxy_server_request"):
            line[key] = unpacked(line.get(key), key, changed)
        line["failure"] = _failure(line)
        line["first_token_at"] = _first_token_at(line)
        found = read_exchange(self._apply(line, row.raw), changed)
        return request_of(found, changed, source=source, deployment=self.deployment, has_prompts=False)


def _generates(call_type: str) -> bool:
    return call_type in _GENERATIONS or call_type.removeprefix("a") in _GENERATIONS


def _failure(line: Mapping[str, Any]) -> Any:
    metadata = line["metadata"] if isinstance(line["metadata"], Mapping) else {}
    if "failure" not in (line.get("status"), metadata.get("status")):
        return None
    details = line.get("error_information") or metadata.get("error_information")
    told = [details.get(key) for key in ("error_class", "error_code")] if isinstance(details, Mapping) else []
    return next((word for word in told if word), "error")


def _first_token_at(line: Mapping[str, Any]) -> Any:
    started = line.get("completionStartTime")
    streamed = line["stream"] if line.get("stream") is not None else started != line.get("endTime")
    return started if streamed else None
