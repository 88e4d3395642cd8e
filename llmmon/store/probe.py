"""What the sentinel's prompts were answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection

from llmmon.model import Response, Window
from llmmon.store.database import execute, fetch
from llmmon.store.replay import storable, storable_json

ProbeLane = Literal["endpoint", "reference"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredProbe:
    """How one probe of a window ended, without its texts."""

    lane: ProbeLane
    prompt: str
    repeat: int
    state: Literal["done", "failed"]
    reason: str | None
    n_input_tokens: int | None
    n_output_tokens: int | None
    cost_usd: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeAnswer:
    """What came back from one probe, and what it cost; None when that is not known."""

    prompt: str
    response: Response
    cost_usd: float | None
    provenance_id: int


def window_probes(connection: Connection, deployment: str, window: Window) -> list[StoredProbe]:
    """Return how every probe of the window that was tried ended."""
    rows = fetch(connection, "probe/window", _place(deployment, window))
    return [StoredProbe(**row._mapping) for row in rows]


def keep_probes(connection: Connection, deployment: str, window: Window, answers: Sequence[ProbeAnswer]) -> None:
    """Store probes; one that is answered already stays as it is, a failed one is replaced."""
    rows = [{**_place(deployment, window), **_row(answer)} for answer in answers]
    # every writer takes the rows in the same order, so that two runs of one window wait instead of deadlocking
    execute(connection, "probe/keep", sorted(rows, key=lambda row: (row["lane"], row["prompt"], row["repeat"])))


def mark_late(connection: Connection, deployment: str, window: Window) -> bool:
    """Mark a window that was judged before its probes came as dirty, and return whether it was."""
    return execute(connection, "probe/mark_dirty", _place(deployment, window)) > 0


def _row(answer: ProbeAnswer) -> dict[str, Any]:
    response = answer.response
    logprobs = response.first_logprobs
    return {
        "lane": response.item.lane,
        "prompt": answer.prompt,
        "repeat": response.item.repeat,
        "state": "failed" if response.text is None else "done",
        "reason": storable(response.reason),
        "answer": storable(response.text),
        "finish_reason": storable(response.finish_reason),
        "served_as": storable(response.model or None),
        "n_input_tokens": response.n_input_tokens,
        "n_output_tokens": response.n_output_tokens,
        "ttft_ms": response.ttft_ms,
        "latency_ms": response.latency_ms,
        "first_logprobs": None if logprobs is None else storable_json(logprobs),
        "cost_usd": answer.cost_usd,
        "detail": storable_json(response.detail),
        "provenance_id": answer.provenance_id,
    }


def _place(deployment: str, window: Window) -> dict[str, Any]:
    return {"deployment": deployment, "window_start": window.start, "window_end": window.end}
