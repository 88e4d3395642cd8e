"""The public data that the streams are cut from, read through LLMMON_DATA."""

from __future__ import annotations

import csv
import functools
import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MISSING = (
    "LLMMON_DATA is not set, so only i.i.d. streams are run: set it to the folder that holds traces_servegen_2025, "
    "traces_azure_2023, latency_llmperf_2023, drift_arena_hard and drift_llmdrift_2023 to run the real ones"
)
HOURS = 14 * 24
"""Hours of ServeGen's language models: two weeks."""
SERVEGEN_FIRST_DAY = {"m-large": 0, "m-small": 1}
"""First whole day: m-small's log begins six hours in."""


def is_there() -> bool:
    """Return whether LLMMON_DATA names a folder."""
    return Path(os.environ.get("LLMMON_DATA", "")).is_dir() and "LLMMON_DATA" in os.environ


def _file(name: str) -> Path:
    path = Path(os.environ["LLMMON_DATA"], name)
    if not path.is_file():
        raise SystemExit(f"benchmarks: no {path}: LLMMON_DATA must name the folder that holds {name}")
    return path


def _json_lines(name: str) -> list[dict[str, Any]]:
    with gzip.open(_file(name), "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _csv_rows(name: str) -> list[dict[str, str]]:
    with gzip.open(_file(name), "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@functools.cache
def servegen_counts(model: str) -> tuple[list[int], Floats, Floats]:
    """Return clients seen in 90% of the hours, their requests per hour, and the gaps' variation: (n_clients, 336)."""
    requests: dict[int, Floats] = {}
    cv_weighted: dict[int, Floats] = {}
    for row in _csv_rows(f"traces_servegen_2025/rates_{model}.csv.gz"):
        client, hour = int(row["client_id"]), int(row["window_start_s"]) // 3600
        n = float(row["rate_rps"]) * 600
        requests.setdefault(client, np.zeros(HOURS))[hour] += n
        cv_weighted.setdefault(client, np.zeros(HOURS))[hour] += n * float(row["iat_cv"])
    first = SERVEGEN_FIRST_DAY[model] * 24
    busy = [client for client in sorted(requests) if (requests[client][first:] >= 1).mean() >= 0.9]
    counts = np.round(np.array([requests[client] for client in busy]))
    variation = np.array([cv_weighted[client] for client in busy]) / np.maximum(counts, 1)
    return busy, counts, variation


@functools.cache
def servegen_lengths(model: str = "m-small") -> dict[tuple[int, str], list[tuple[Floats, Floats] | None]]:
    """Return per client and field the distribution (lengths, probabilities) of each of the 56 quarter days, or None."""
    found: dict[tuple[int, str], list[tuple[Floats, Floats] | None]] = {}
    for row in _json_lines(f"traces_servegen_2025/token_pdfs_{model}.jsonl.gz"):
        quarter = int(row["window_start_s"]) // 21600
        lengths = np.array([float(length) for length in row["pdf"]])
        mass = np.array(list(row["pdf"].values()), dtype=np.float64)
        found.setdefault((row["client_id"], row["field"]), [None] * (HOURS // 6))[quarter] = (
            lengths,
            mass / mass.sum(),
        )
    return found


@functools.cache
def azure_tokens() -> tuple[Floats, Floats]:
    """Return prompt and output tokens of one hour's requests, in order."""
    rows = _csv_rows("traces_azure_2023/azure_conv.csv.gz")
    return tuple(np.array([float(row[name]) for row in rows]) for name in ("ContextTokens", "GeneratedTokens"))  # type: ignore[return-value]


@functools.cache
def llmperf_latencies() -> dict[str, dict[str, Floats]]:
    """Return per endpoint the latencies (ms) of its successful requests, in the file's order; at least 100 of them."""
    endpoints: dict[str, list[dict[str, Any]]] = {}
    for row in _json_lines("latency_llmperf_2023/requests.jsonl.gz"):
        if row["error_code"] is None:
            endpoints.setdefault(f"{row['provider']} {row['model_size']}", []).append(row)
    names = {"ttft_ms": "ttft_s", "latency_ms": "end_to_end_latency_s", "itl_ms": "inter_token_latency_s"}
    return {
        endpoint: {ours: 1000 * np.array([float(row[theirs]) for row in rows]) for ours, theirs in names.items()}
        for endpoint, rows in endpoints.items()
        if len(rows) >= 100
    }


@functools.cache
def arena_answers() -> dict[str, list[str]]:
    """Return per model its answers, sorted by topic, so that neighbours are alike."""
    topics = {
        row["uid"]: (row["benchmark"], str(row["cluster"] or row["category"]))
        for row in _json_lines("drift_arena_hard/questions.jsonl.gz")
    }
    found: dict[str, list[tuple[tuple[str, str], str, str]]] = {}
    for row in _json_lines("drift_arena_hard/answers.jsonl.gz"):
        found.setdefault(row["model"], []).append((topics[row["uid"]], row["uid"], row["answer"]))
    return {model: [answer for _, _, answer in sorted(rows)] for model, rows in found.items()}


@functools.cache
def llmdrift_rows(task: str, model: str) -> tuple[dict[str, Any], ...]:
    """Return one task's rows answered by one model version, such as ``gpt-4-0314``."""
    rows = _json_lines(f"drift_llmdrift_2023/{task}.jsonl.gz")
    return tuple(row for row in rows if row["model"] == f"openaichat/{model}")
