"""What metrics read from a window: columns of requests, of replays, and of scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from llmmon.metrics.base import WindowData
from llmmon.metrics.intervals import Floats
from llmmon.model import LOGGED

if TYPE_CHECKING:
    import pandas

Objects = npt.NDArray[np.object_]
LATENCIES: Final = ("latency_ms", "ttft_ms", "tpot_ms", "queue_ms")
NUMBERS: Final = (*LATENCIES, "n_input_tokens", "n_output_tokens", "cost_usd", "feedback")
CATEGORIES: Final = ("model", "model_version", "route", "tenant", "language", "status", "error_type", "finish_reason")
TEXTS: Final = ("response_text", "prompt")
AS_LOGGED: Final = "as_logged"
_LONGEST_NAME: Final = 200
"""Characters of a category; names come from logs, which may hold anything."""


def require(name: str, value: str, allowed: Sequence[str]) -> None:
    """Raise unless `value` is one of `allowed`."""
    if value not in allowed:
        raise ValueError(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")


def numbers(data: WindowData, field: str, lane: str = LOGGED) -> tuple[Floats, Floats]:
    """Return the values of a numeric column and their weights; failed requests and replays are left out.

    Parameters
    ----------
    field : str
        One of `NUMBERS`. ``tpot_ms`` is (latency - TTFT) / (output tokens - 1), for answers of two tokens or more.
    lane : str
        ``logged`` for what production measured, else the plain replays of that lane.
    """
    _, values, weights, keep = _column(data, field, lane)
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()  # of millions of rows, this tells sooner that all are finite than a mask of them does
    if keep.all() and np.isfinite(total):
        return values, weights
    keep = keep & np.isfinite(values)
    return values[keep], weights[keep]


def rows_of(data: WindowData, field: str, lane: str = LOGGED) -> tuple[Floats, Floats, Objects | None]:
    """Return the same values and weights, and whose each is: of logged requests only, replays were drawn one by one."""
    frame, values, weights, keep = _column(data, field, lane)
    keep = keep & np.isfinite(values)
    clusters = frame["cluster"].to_numpy(dtype=object)[keep] if lane == LOGGED else None
    return values[keep], weights[keep], clusters


def _column(data: WindowData, field: str, lane: str) -> tuple[pandas.DataFrame, Floats, Floats, npt.NDArray[np.bool_]]:
    if lane == LOGGED:
        frame, keep = data.requests, data.is_answered
        weights = np.broadcast_to(1.0, len(frame))
    else:
        replays = data.responses
        frame = replays[(replays["lane"] == lane) & (replays["variant"] == AS_LOGGED) & replays["reason"].isna()]
        keep, weights = np.ones(len(frame), dtype=bool), frame["weight"].to_numpy(dtype=float)
    return frame, _values(frame, field), weights, keep


def number_rows(data: WindowData, fields: Sequence[str]) -> Floats:
    """Return several numeric columns side by side, of the answered requests that have every one of them."""
    rows = np.column_stack([_values(data.requests, field) for field in fields])
    return np.asarray(rows[data.is_answered & np.isfinite(rows).all(axis=1)])


def _values(frame: pandas.DataFrame, field: str) -> Floats:
    if field != "tpot_ms":
        return np.asarray(frame[field], dtype=float)
    tokens = frame["n_output_tokens"].to_numpy(dtype=float)
    spent = frame["latency_ms"].to_numpy(dtype=float) - frame["ttft_ms"].to_numpy(dtype=float)
    return np.asarray(np.divide(spent, tokens - 1, out=np.full(len(frame), np.nan), where=tokens > 1))


def categories(data: WindowData, field: str) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return the values of a categorical column and how often each is seen, the most frequent first and ties by name.

    Failed requests are among them, missing values are not.
    """
    counts = data.requests[field].value_counts(sort=False)
    counts = counts.groupby(counts.index.astype(str).str[:_LONGEST_NAME]).sum()  # sorted by name
    counts = counts.sort_values(ascending=False, kind="stable")
    return [str(name) for name in counts.index], np.asarray(counts, dtype=np.int64)


def scored(data: WindowData, scorer: str, lane: str, variant: str = AS_LOGGED) -> pandas.DataFrame:
    """Return one row per request that has a score: its mean over repeats as ``value``, and what the request adds."""
    rows = data.scores
    chosen = rows[
        (rows["scorer"] == scorer) & (rows["lane"] == lane) & (rows["variant"] == variant) & rows["value"].notna()
    ]
    how = {name: "first" for name in chosen.columns if name in {"weight", "cluster"} or name.startswith("group.")}
    return chosen.groupby("request_key", as_index=False, sort=True).agg({"value": "mean", **how})


def why_no_scores(data: WindowData, scorer: str, lane: str, variant: str = AS_LOGGED) -> str:
    """Return the reason of a metric that found no score: the commonest one the scorer gave."""
    rows = data.scores
    chosen = rows[(rows["scorer"] == scorer) & (rows["lane"] == lane) & (rows["variant"] == variant)]
    reasons = chosen["reason"].dropna().value_counts()
    if reasons.empty:
        return f"no response on lane {lane!r}, variant {variant!r}, was judged by {scorer!r}"
    common = min(reasons[reasons == reasons.max()].index)
    return f"no score among {len(chosen)} responses; most often: {common}"
