"""Request logs exported from Langfuse: observations of type GENERATION."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import msgspec

from llmmon.errors import NotARequestError
from llmmon.model import RequestLog
from llmmon.sources import values
from llmmon.sources.base import Position, RawBatch, RawRow, sources
from llmmon.sources.conversation import read_exchange
from llmmon.sources.enclosed_rows import enclosed_rows
from llmmon.sources.files import read_new_lines
from llmmon.sources.flat_row import request_of
from llmmon.sources.json_text import read_object, unpacked
from llmmon.sources.mapped_files import ExportedFile


def _either(*names: str, **options: Any) -> dict[str, Any]:
    """Return the field that the first of these keys of an observation gives."""
    return {"path": [f"observation.{name}" for name in names], **options}


# by field: the names of the present API, then the older ones
_FIELDS: Final[Mapping[str, Any]] = {
    "request_id": "observation.id",
    "occurred_at": "observation.startTime",
    "latency_ms": {"path": "observation.endTime", "since": "observation.startTime"},
    "ttft_ms": {"path": "observation.completionStartTime", "since": "observation.startTime"},
    "model": _either("model", "providedModelName"),
    "messages": _either("input"),
    "response_text": _either("output"),
    "parameters": "observation.modelParameters",
    "n_input_tokens": _either("usageDetails.input", "usage.input", "inputUsage", "promptTokens"),
    "n_output_tokens": _either("usageDetails.output", "usage.output", "outputUsage", "completionTokens"),
    "cost_usd": _either("costDetails.total", "calculatedTotalCost", "totalCost"),
    "error_type": "failure",
    "user": {"path": ["observation.userId", "trace.user_id"]},
    "conversation_id": {"path": ["observation.sessionId", "trace.session_id"]},
    "route": {"path": ["observation.traceName", "trace.name"]},
    "tags": {
        "name": "observation.name",
        "environment": {"path": ["observation.environment", "trace.environment"]},
        "release": {"path": ["observation.release", "trace.release"]},
        "prompt": "observation.promptName",
    },
}


@sources.register("langfuse_export")
@dataclass(frozen=True, kw_only=True, slots=True)
class LangfuseExport(ExportedFile):
    """Generations exported from Langfuse as JSON or JSON lines, plain or gzipped, on disk or at any fsspec URL.

    A line is an observation, a list of observations, a page of the API (``{"data": [...]}``), or a trace with its
    observations. Observations of other types (spans, events) are counted and passed over.

    Parameters
    ----------
    path : str
        A file, a glob such as ``langfuse/*.jsonl.gz``, or a URL such as ``s3://bucket/langfuse/*.jsonl``.
    deployment : str or None
        Deployment of every generation; without it the mapped one, else the model.
    fields : mapping
        Fields that are kept elsewhere, as docs/logs.md explains; a path begins with ``observation`` or ``trace``:
        ``{route = "observation.metadata.route"}``.

    Notes
    -----
    User, session and name of the trace are taken from the observation, or from the trace that holds it. Traces on
    lines of their own are not joined to observations on others. A JSON file is one line and holds at most 16 MiB.
    """

    plugin_name: ClassVar[str]
    known: ClassVar[Mapping[str, Any]] = _FIELDS

    def read(self, position: Position | None, *, max_rows: int) -> Iterator[RawBatch]:
        """Yield the observations that were not read before, each with what its trace is."""
        return read_new_lines(self.path, position, max_rows=max_rows, rows_of=_observations_of)

    def parse(self, row: RawRow, *, source: str) -> RequestLog:
        """Turn one observation into a request log, or raise `NotARequestError` or `BadRowError`."""
        line, cleaned = read_object(row.raw)
        enclosed = "observation" in line
        observation = dict(values.mapping(line["observation"] if enclosed else line, "observation"))
        if not enclosed and "timestamp" in line and "startTime" not in line:
            raise NotARequestError("Langfuse trace without its observations")
        if observation.get("type") not in (None, "GENERATION"):
            raise NotARequestError("Langfuse observation that is no generation")
        changed = list(cleaned)
        for key in ("modelParameters", "usageDetails", "costDetails", "usage", "metadata"):
            observation[key] = unpacked(observation.get(key), key, changed)
        about = {
            "observation": observation,
            "trace": line.get("trace") if enclosed else None,
            "failure": "error" if observation.get("level") == "ERROR" else None,
        }
        found = read_exchange(self._apply(about, row.raw), changed)
        return request_of(found, changed, source=source, deployment=self.deployment, has_prompts=False)


class _Trace(msgspec.Struct, rename="camel"):
    """A trace with its observations, or a page of them; what else it holds is passed over."""

    observations: list[msgspec.Raw] = []
    data: list[msgspec.Raw] | None = None
    user_id: msgspec.Raw = msgspec.Raw(b"null")
    session_id: msgspec.Raw = msgspec.Raw(b"null")
    name: msgspec.Raw = msgspec.Raw(b"null")
    environment: msgspec.Raw = msgspec.Raw(b"null")
    release: msgspec.Raw = msgspec.Raw(b"null")


_decode: Final = msgspec.json.Decoder(_Trace | list[msgspec.Raw]).decode


def _observations_of(line: RawRow) -> list[RawRow]:
    """Return the observations of a line, each with its trace; a line that holds none, or cannot be cut, stays whole."""
    return enclosed_rows(line, _decode, _enclosed)


def _enclosed(found: _Trace | list[msgspec.Raw]) -> list[tuple[bytes, bytes, bytes]] | None:
    if isinstance(found, list):
        return [(b"", bytes(item), b"") for item in found]
    if found.data is not None:
        return _enclosed(found.data)
    # an observation is one itself; a trace with the ids of its observations is a trace alone
    if not found.observations or not all(bytes(item).startswith(b"{") for item in found.observations):
        return None
    about = {name: getattr(found, name) for name in ("user_id", "session_id", "name", "environment", "release")}
    before = b'{"trace":%b,"observation":' % msgspec.json.encode(about)
    return [(before, bytes(item), b"}") for item in found.observations]
