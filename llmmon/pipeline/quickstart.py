"""A configuration for a log file of one's own, made from what the file holds."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmmon.config import Config, SourceConfig
from llmmon.errors import BadRowError, ConfigError, SourceUnavailableError
from llmmon.model import RequestLog, digest_of
from llmmon.sources.base import sources

_ROWS_LOOKED_AT = 5_000
_OPEN_GATE = {
    "max_bad_fraction": 1.0,
    "max_null_fraction": {},
    **dict.fromkeys(("unusual_volume", "missing_fields", "unknown_fields"), "off"),
}


def config_for_file(path: Path, *, format_name: str = "openai_jsonl", window_hours: float = 1) -> Config:
    """Return a configuration that watches every deployment named in `path` with what its logs allow.

    Latency is watched where it is logged, correctness where there are reference answers, groundedness where there is
    context, impact ratio where there are groups. There is no replay lane: a file names no model that could be run.

    Parameters
    ----------
    path : Path
        A file, plain or gzip.
    format_name : str
        A source that needs nothing but a path; see `file_formats`.

    Raises
    ------
    SourceUnavailableError
        When the file cannot be read or holds no request log.
    """
    read = {"type": format_name, "path": str(path)}
    source = sources.create(format_name, {"path": str(path)}, where="--source")
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
        if seen:
            break
    if not seen:
        raise SourceUnavailableError(
            f"{path}: no request log of the format {format_name} "
            f"({first_problem or 'the file is empty'}); docs/logs.md shows the formats, and --format names another"
        )
    name = f"file-{digest_of(str(path.resolve())).hex()[:8]}"
    raw: dict[str, Any] = {
        "window_hours": window_hours,
        "sources": {name: {"read": read, "gate": _OPEN_GATE}},
        "deployments": {deployment: _watch(name, rows) for deployment, rows in sorted(seen.items())},
    }
    return Config.model_validate({**raw, "digest": digest_of(raw).hex()})


def file_formats() -> list[str]:
    """Return the sources that need nothing but a path."""
    return [name for name in sources.names() if sources.required(name) == ("path",)]


def config_reading(config: Config, given: Sequence[str]) -> Config:
    """Return `config` with some sources reading files in place of their own places, and without the other sources.

    Parameters
    ----------
    given : sequence of str
        ``NAME=FILE``, or a file for the one source that there is.

    Raises
    ------
    ConfigError
        When it is not clear which source is meant, or the source reads no file.
    """
    files: dict[str, str] = {}
    for text in given:
        name, path = _named_file(config, text)
        if name in files:
            raise ConfigError(f"--source: {name} is given twice; expected one file for a source, or a glob")
        files[name] = path
    return config.model_copy(
        update={
            "sources": {name: _reading(name, config.sources[name], path) for name, path in files.items()},
            "deployments": {
                name: deployment for name, deployment in config.deployments.items() if deployment.source in files
            },
        }
    )


def _named_file(config: Config, text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if equals and name in config.sources:  # else it is part of a file's name
        return name, path
    if len(config.sources) == 1:
        return next(iter(config.sources)), text
    raise ConfigError(
        f"--source: the configuration has {len(config.sources)} sources ({', '.join(config.sources)}); "
        f"expected NAME=FILE with one of these names, got {text!r}"
    )


def _reading(name: str, source: SourceConfig, path: str) -> SourceConfig:
    if "path" not in source.read.parameters:
        raise ConfigError(f"--source: source {name} is a {source.read.type}, which reads no file")
    read = source.read.model_copy(update={"parameters": {**source.read.parameters, "path": path}})
    return source.model_copy(update={"read": read})


def _watch(source: str, rows: list[RequestLog]) -> dict[str, Any]:
    scorers: dict[str, Any] = {
        "refusal": {"judge": "refusal"},
        "words": {"judge": "length"},
        "pii": {"judge": {"type": "pii", "count_redacted": True}},
    }
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
