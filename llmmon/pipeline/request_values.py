"""One value per request, so that its mean shows what a monitor measures: what segments and lanes are compared by.

A metric reduces a whole window. To say which requests a change comes from, each of them needs a value of its own, read
in the same way from what production answered and from what a replay answered:

- a scorer's value; for a rate, whether it is beyond the limit;
- a logged number, such as a latency; for a quantile, whether it is above the reference windows' quantile;
- a number whose distribution is compared: its rank among the reference windows' values, from 0 to 1;
- a text whose wording is compared: how much it reads like now rather than before, by a classifier that has not seen it;
- whether the request failed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from llmmon.metrics.base import Metric, WindowData
from llmmon.metrics.columns import AS_LOGGED, CATEGORIES, LATENCIES, NUMBERS, TEXTS
from llmmon.metrics.drift.text_statistic import TextStatistic
from llmmon.metrics.intervals import Floats, quantile_estimate
from llmmon.metrics.quality.anchor_shift import AnchorShift
from llmmon.model import LOGGED
from llmmon.pipeline.wording import wording

if TYPE_CHECKING:
    import pandas

_REPEAT: Final = "repeat"
_COST: Final = "cost"
_ERROR_RATE: Final = "error_rate"
_BAD_SHARE: Final = "slo_bad_share"
_OF_REQUESTS: Final = ("prompt", "route", "tenant", "language")
Replayed = Literal["every lane", "what serves now", "none"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How the value of a request is read.

    Parameters
    ----------
    name, unit : str
        As people are told.
    lane : str
        Lane that the monitor measures.
    scorer : str or None
        Judge of the value; None where it is counted or timed.
    replayed : str
        On which replay lanes the value means the same.
    answers : callable
        Gives the answers on a lane as ``request_key, repeat, value``: 0 for the plain replay, then its repeats.
    """

    name: str
    unit: str
    lane: str
    scorer: str | None
    replayed: Replayed
    answers: Callable[[WindowData, str], pandas.DataFrame]

    def observed(self, data: WindowData) -> pandas.Series[float]:
        """Return the value of each request on the monitor's lane: its mean over repeats, by request key."""
        found = self.answers(data, self.lane)
        if self.lane != LOGGED:
            found = found[found["repeat"] == 0]
        return found.groupby("request_key", sort=True)["value"].mean()


@dataclass(frozen=True, kw_only=True, slots=True)
class NoReading:
    """Why requests have no value of their own; `is_traffic`: what is measured is the traffic itself."""

    reason: str
    is_traffic: bool = False


def reading_of(metric: Metric, unit: str, before: WindowData, now: WindowData) -> Reading | NoReading:
    """Return how to read a request's value for `metric`, or why there is none.

    Parameters
    ----------
    metric : Metric
        Built from its stored parameters.
    unit : str
        Of the monitor's measurements.
    before, now : WindowData
        Reference and current windows; only limits, ranks and wording are learnt from them.
    """
    given: Any = metric
    field, scorer = _field_of(given), getattr(given, "scorer", None)
    lane = getattr(given, "lane", LOGGED)
    if isinstance(metric, AnchorShift):
        return NoReading(reason="anchors are no requests of production: what moves on them is the judge")
    if getattr(given, "variant", AS_LOGGED) != AS_LOGGED or hasattr(given, "group"):
        return NoReading(reason=f"{metric.plugin_name} compares requests with each other: none has a value of its own")
    if field in _OF_REQUESTS:
        return NoReading(reason=f"{field} is part of the request: a change of it is one of traffic", is_traffic=True)
    if field in CATEGORIES:
        return NoReading(reason=f"{field} is a name, not a number: it has no mean whose shift could be split")
    if scorer is not None:
        base = Reading(
            name=f"score {scorer}",
            unit=unit,
            lane=lane,
            scorer=scorer,
            replayed="every lane",
            answers=lambda data, of: _scores(data, scorer, of),
        )
    elif metric.plugin_name == _BAD_SHARE:
        limit = given.limit_ms
        base = Reading(
            name="failed" if limit is None else f"{field} above {limit:g} ms or failed",
            unit=unit,
            lane=lane,
            scorer=None,
            replayed="none",
            answers=lambda data, _: _bad(data, given.field, limit, given.fails_count),
        )
    elif field in NUMBERS or metric.plugin_name == _COST:
        name = field or "cost_usd"
        on_lanes: Replayed = "what serves now" if name in LATENCIES else "every lane"
        base = Reading(
            name=name,
            unit=unit,
            lane=lane,
            scorer=None,
            replayed=on_lanes if name in (*LATENCIES, "n_output_tokens") else "none",
            answers=lambda data, of: _numbers(data, name, of),
        )
    elif metric.plugin_name == _ERROR_RATE:
        base = Reading(name="failed", unit=unit, lane=lane, scorer=None, replayed="none", answers=_failed)
    elif field in TEXTS:
        counts = isinstance(metric, TextStatistic)
        learnt = _statistic(given) if counts else wording(*(_texts(side, lane) for side in (before, now)))
        if learnt is None:
            return NoReading(reason=f"too few texts of {field} on both sides to learn how their wording differs")
        base = Reading(
            name=given.statistic if counts else "likeness to the texts of now, from 0 to 1",
            unit=unit if counts else "",
            lane=lane,
            scorer=None,
            replayed="every lane",
            answers=lambda data, of: _of_texts(data, of, learnt),
        )
    else:
        return NoReading(
            reason=f"{metric.plugin_name} is about the window as a whole: no request has a value of its own",
            is_traffic=metric.plugin_name == "volume",
        )
    return _reduced(base, given, before)


def _reduced(base: Reading, metric: Any, before: WindowData) -> Reading | NoReading:
    """Return the reading as the metric reduces it: beyond a limit, above a quantile, or as a rank."""
    if hasattr(metric, "side") and hasattr(metric, "limit"):
        sign = -1 if metric.side == "below" else 1
        limit = metric.limit
        return _mapped(base, f"{base.name} {metric.side} {limit:g}", "share", lambda y: sign * y > sign * limit)
    needs = hasattr(metric, "quantile") or (metric.needs_reference and base.name in NUMBERS)
    if not needs:
        return base
    known = np.sort(base.observed(before).to_numpy(dtype=float))
    known = known[np.isfinite(known)]
    if not len(known):
        return NoReading(reason=f"no {base.name} in the reference windows")
    if hasattr(metric, "quantile"):
        level = quantile_estimate(known, metric.quantile).value or 0.0
        return _mapped(base, f"{base.name} above {level:.4g} {base.unit}".rstrip(), "share", lambda y: y > level)
    return _mapped(
        base,
        f"rank of {base.name} among the reference windows",
        "rank",
        lambda y: (np.searchsorted(known, y, "left") + np.searchsorted(known, y, "right")) / (2 * len(known)),
    )


def _mapped(base: Reading, name: str, unit: str, change: Callable[[Floats], Any]) -> Reading:
    def answers(data: WindowData, lane: str) -> pandas.DataFrame:
        found = base.answers(data, lane)
        return found.assign(value=np.asarray(change(found["value"].to_numpy(dtype=float)), dtype=float))

    return replace(base, name=name, unit=unit, answers=answers)


def _scores(data: WindowData, scorer: str, lane: str) -> pandas.DataFrame:
    rows = data.scores
    return _numbered(rows[(rows["scorer"] == scorer) & (rows["lane"] == lane)])


def _numbers(data: WindowData, name: str, lane: str) -> pandas.DataFrame:
    if lane == LOGGED:
        rows = data.requests[data.requests["status"] == "ok"].assign(variant=AS_LOGGED, repeat=0)
    else:
        rows = data.responses[(data.responses["lane"] == lane) & data.responses["reason"].isna()]
    if name == "tpot_ms":
        tokens = rows["n_output_tokens"].astype(float)
        values = ((rows["latency_ms"] - rows["ttft_ms"]) / (tokens - 1)).where(tokens > 1)
    else:
        values = rows[name] if name in rows else rows["request_key"] * np.nan
    return _numbered(rows.assign(value=values))


def _failed(data: WindowData, lane: str) -> pandas.DataFrame:
    del lane
    rows = data.requests.assign(variant=AS_LOGGED, repeat=0)
    return _numbered(rows.assign(value=(rows["status"] == "error").astype(float)))


def _bad(data: WindowData, field: str, limit: float | None, fails_count: bool) -> pandas.DataFrame:
    import pandas

    found = _failed(data, LOGGED)
    answered = found[found["value"] == 0]
    times = _numbers(data, field, LOGGED).set_index("request_key")["value"].reindex(answered["request_key"])
    slow = np.zeros(len(answered)) if limit is None else (times > limit).to_numpy(dtype=float)
    known = answered.assign(value=np.where(times.notna() | (limit is None), slow, np.nan))
    failed = found[found["value"] == 1] if fails_count else found.iloc[:0]
    return pandas.concat([known, failed]).dropna(subset="value")


def _field_of(metric: Any) -> str | None:
    """Return the one column that a metric reads; None where it reads none or several together."""
    fields = getattr(metric, "fields", None) or (getattr(metric, "field", None),)
    return fields[0] if len(fields) == 1 else None


def _texts(data: WindowData, lane: str) -> pandas.DataFrame:
    if lane == LOGGED:
        rows = data.requests.assign(variant=AS_LOGGED, repeat=0, text=data.requests["response_text"])
    else:
        rows = data.responses[data.responses["lane"] == lane]
    return rows[rows["text"].notna()]


def _of_texts(data: WindowData, lane: str, measure: Callable[[pandas.DataFrame], Floats]) -> pandas.DataFrame:
    rows = _texts(data, lane)
    return _numbered(rows.assign(value=measure(rows)))


def _statistic(metric: TextStatistic) -> Callable[[pandas.DataFrame], Floats]:
    return lambda rows: np.array([metric.of(text) for text in rows["text"]], dtype=float)


def _numbered(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Return the plain answers as repeat 0 and those of the repeat variant as 1, 2, ...; without a value they go."""
    kept = rows[rows["variant"].isin((AS_LOGGED, _REPEAT)) & rows["value"].notna()]
    number = np.where(kept["variant"] == AS_LOGGED, 0, kept["repeat"].astype(int) + 1)
    return kept.assign(repeat=number, value=kept["value"].astype(float))[["request_key", "repeat", "value"]]
