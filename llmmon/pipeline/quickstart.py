"""A configuration for a log file of one's own, made from what the file holds."""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Any

from llmmon.config import Config
from llmmon.errors import BadRowError, ConfigError, SourceUnavailableError
from llmmon.model import RequestLog, digest_of
from llmmon.sources.base import sources

_ROWS_LOOKED_AT = 5_000
_OPEN_GATE = {
    "max_bad_fraction": 1.0,
    "max_null_fraction": {},
    **dict.fromkeys(("unusual_volume", "missing_fields", "unknown_fields"), "off"),
}


def config_for_file(path: Path, *, window_hours: float = 1) -> Config:
    """Return a configuration that watches every deployment named in `path` with what its logs allow.

    Latency is watched where it is logged, correctness where there are reference answers, groundedness where there is
    context, impact ratio where there are groups. There is no replay lane: a file names no model that could be run.

    Parameters
    ----------
    path : Path
        OpenAI-style JSON lines, plain or gzip.

    Raises
    ------
    SourceUnavailableError
        When the file cannot be read or holds no request log.
    """
    read = {"type": "openai_jsonl", "path": str(path)}
    source = sources.create("openai_jsonl", {"path": str(path)}, where="--source")
    seen: dict[str, list[RequestLog]] = collections.defaultdict(list)
    first_problem: str | None = None
    for batch in source.read(None, max_rows=_ROWS_LOOKED_AT):
        for row in batch.rows:
            try:
                request = source.parse(row, source="file")
            except BadRowError as error:
                first_problem = first_problem or f"offset {row.offset}: {error.reason}"
            else:
                seen[request.deployment].append(request)
        break
    if not seen:
        raise SourceUnavailableError(
            f"{path}: no request log in the first {_ROWS_LOOKED_AT} lines ({first_problem or 'the file is empty'}); "
            "expected JSON lines with id, timestamp, request and response, as docs/logs.md shows"
        )
    name = f"file-{digest_of(str(path.resolve())).hex()[:8]}"
    raw: dict[str, Any] = {
        "window_hours": window_hours,
        "sources": {name: {"read": read, "gate": _OPEN_GATE}},
        "deployments": {deployment: _watch(name, rows) for deployment, rows in sorted(seen.items())},
    }
    return Config.model_validate({**raw, "digest": digest_of(raw).hex()})


def config_reading(config: Config, path: Path) -> Config:
    """Return `config` with its one source reading `path` in place of its own.

    Raises
    ------
    ConfigError
        When there are several sources, or the source reads no file.
    """
    if len(config.sources) != 1:
        raise ConfigError(
            f"--source: the configuration has {len(config.sources)} sources ({', '.join(config.sources)}); "
            "expected the one that is to read the file"
        )
    ((name, source),) = config.sources.items()
    if "path" not in source.read.parameters:
        raise ConfigError(f"--source: source {name} is a {source.read.type}, which reads no file")
    read = source.read.model_copy(update={"parameters": {**source.read.parameters, "path": str(path)}})
    return config.model_copy(update={"sources": {name: source.model_copy(update={"read": read})}})


def _watch(source: str, rows: list[RequestLog]) -> dict[str, Any]:
    scorers: dict[str, Any] = {"refusal": {"judge": "refusal"}, "words": {"judge": "length"}, "pii": {"judge": "pii"}}
    monitors: dict[str, Any] = {
        "traffic": {"metric": "volume", "min_effect": 1},
        "error-rate": {"metric": "error_rate", "min_effect": 0.05},
        "refusal-rate": {"metric": {"type": "score_mean", "scorer": "refusal"}, "min_effect": 0.1},
        "answer-length": {"metric": {"type": "score_mean", "scorer": "words"}, "min_effect": 20},
        "personal-data": {"metric": {"type": "score_mean", "scorer": "pii"}, "min_effect": 0.2},
    }
    if any(row.latency_ms is not None for row in rows):
        for quantile in (0.5, 0.95):
            metric = {"type": "latency_quantile", "quantile": quantile}
            monitors[f"latency-p{quantile * 100:.0f}"] = {"metric": metric, "min_effect": 1000}
    if any(row.ttft_ms is not None for row in rows):
        metric = {"type": "latency_quantile", "field": "ttft_ms", "quantile": 0.5}
        monitors["ttft-p50"] = {"metric": metric, "min_effect": 500}
    if any(row.cost_usd is not None for row in rows):
        monitors["cost-per-request"] = {"metric": "cost", "min_effect": 0.01}
    if any(row.reference_answer is not None for row in rows):
        scorers["correctness"] = {"judge": "correctness"}
        monitors["accuracy"] = {"metric": {"type": "score_mean", "scorer": "correctness"}, "min_effect": 0.1}
        for group in sorted({group for row in rows for group in row.groups}):
            metric = {"type": "impact_ratio", "scorer": "correctness", "group": group}
            monitors[f"impact-ratio-{group}"] = {"metric": metric, "min_effect": 0.15}
    if any(row.documents for row in rows):
        scorers["groundedness"] = {"judge": "groundedness"}
        monitors["groundedness"] = {"metric": {"type": "score_mean", "scorer": "groundedness"}, "min_effect": 0.15}
    return {"source": source, "scorers": scorers, "monitors": monitors}
