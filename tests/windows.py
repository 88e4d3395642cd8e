"""Windows of data made by hand, for tests of metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas

from llmmon.metrics.base import WindowData
from llmmon.model import Segment, Window

START = datetime(2023, 6, 27, 5, tzinfo=UTC)
_REQUESTS: dict[str, Any] = {
    "model": "gpt-4",
    "model_version": None,
    "route": "chat",
    "tenant": None,
    "language": "en",
    "status": "ok",
    "error_type": None,
    "finish_reason": "stop",
    "prompt": "Is 7 a prime number?",
    "response_text": "Yes, it is.",
    "reference_answer": None,
    "n_input_tokens": np.nan,
    "n_output_tokens": np.nan,
    "ttft_ms": np.nan,
    "latency_ms": np.nan,
    "cost_usd": np.nan,
    "queue_ms": np.nan,
    "feedback": np.nan,
    "cluster": None,
}
_REPLAYS: dict[str, Any] = {
    "lane": "reference",
    "variant": "as_logged",
    "repeat": 0,
    "text": "Yes.",
    "reason": None,
    "ttft_ms": np.nan,
    "latency_ms": np.nan,
    "n_output_tokens": np.nan,
    "mean_logprob": np.nan,
    "logged_mean_logprob": np.nan,
    "weight": 1.0,
    "change": None,
}
_SCORES: dict[str, Any] = {
    "lane": "logged",
    "variant": "as_logged",
    "repeat": 0,
    "scorer": "refusal",
    "value": np.nan,
    "label": None,
    "reason": None,
    "weight": 1.0,
    "change": None,
}


_PROBES: dict[str, Any] = {
    "window_start": START,
    "lane": "endpoint",
    "prompt": "door@1",
    "repeat": 0,
    "text": "he went in.",
    "reason": None,
    "ttft_ms": np.nan,
    "latency_ms": np.nan,
    "n_output_tokens": np.nan,
    "first_logprobs": None,
}


_REVIEWS: dict[str, Any] = {
    "occurred_at": None,
    "scorer": "refusal",
    "lane": "logged",
    "score": np.nan,
    "label": np.nan,
    "weight": 1.0,
    "n_reviewers": 1.0,
    "decided_at": None,
    "same_judge": True,
}
_ANCHORS: dict[str, Any] = {
    "window_start": START,
    "scorer": "refusal",
    "fixed": np.nan,
    "value": np.nan,
    "reason": None,
}


def make_window(
    n: int = 0,
    *,
    first_key: int = 0,
    scores: Sequence[Mapping[str, Any]] = (),
    responses: Sequence[Mapping[str, Any]] = (),
    probes: Sequence[Mapping[str, Any]] = (),
    reviews: Sequence[Mapping[str, Any]] = (),
    anchors: Sequence[Mapping[str, Any]] = (),
    **columns: Any,
) -> WindowData:
    """Return a window of `n` requests; a column is given as one value or as `n` of them.

    A score or response is given as the fields that matter, ``request_key`` among them; so are probes, reviews and
    anchors, without it. A review is of the first second of the window and was decided then.
    """
    keys = np.arange(first_key, first_key + n)
    table: dict[str, Any] = {"request_key": keys, "occurred_at": [START + timedelta(seconds=int(i)) for i in range(n)]}
    for name, value in {**_REQUESTS, **columns}.items():
        values = list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value] * n
        numeric = isinstance(_REQUESTS.get(name), float)
        table[name] = pandas.Series(values, dtype=float if numeric else object)
    requests = pandas.DataFrame(table)
    context = requests[
        ["request_key", "occurred_at", "cluster", *(name for name in requests if name.startswith("group."))]
    ]
    return WindowData(
        windows=(Window(start=START, end=START + timedelta(hours=1)),),
        segment=Segment(),
        requests=requests,
        scores=_rows(_SCORES, scores).merge(context, on="request_key"),
        responses=_rows(_REPLAYS, responses),
        probes=_rows(_PROBES, probes).drop(columns="request_key"),
        reviews=_moments(_rows(_REVIEWS, reviews)),
        anchors=_rows(_ANCHORS, anchors).drop(columns="request_key"),
    )


def _moments(frame: pandas.DataFrame) -> pandas.DataFrame:
    for name in ("occurred_at", "decided_at"):
        frame[name] = pandas.to_datetime(frame[name].where(frame[name].notna(), START), utc=True)
    return frame


def _rows(defaults: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    table = {
        name: pandas.Series(
            [row.get(name, default) for row in rows], dtype=float if isinstance(default, float) else object
        )
        for name, default in {"request_key": 0, **defaults}.items()
    }
    return pandas.DataFrame(table).astype({"request_key": "int64"})


def scored(values: Sequence[float | None], **fields: Any) -> list[dict[str, Any]]:
    """Return one score row per value, for request 0, 1, ...; None becomes an absent score."""
    return [
        {"request_key": key, "value": np.nan if value is None else value, "reason": "none" if value is None else None}
        | fields
        for key, value in enumerate(values)
    ]
