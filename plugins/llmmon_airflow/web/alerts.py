"""What the alert pages show: the list, and one alert with everything it rests on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from llmmon.model import last_user_turn
from llmmon.store.database import fetch
from llmmon.store.payload import Payload, payload_of, replay_texts_of
from llmmon_airflow.web.reading import reading
from llmmon_airflow.web.streams import Stream, streams_of

PAGE = 50
N_REQUESTS = 10
N_WINDOWS = 48
LONGEST_TEXT = 20_000
_ERASED = "its subject was erased"


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertList:
    """One page of alerts; `older` is the key that the next page starts below."""

    rows: Sequence[Any]
    counts: Mapping[str, int]
    older: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One response to a request: logged or replayed, with its scores."""

    lane: str
    variant: str
    repeat: int
    text: str | None
    n_characters: int | None
    reason: str | None
    facts: Mapping[str, Any]
    change: Mapping[str, Any]
    prompt: str | None
    scores: Sequence[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exhibit:
    """A request that shows the alert, and its answers side by side."""

    request: Any
    payload: Payload
    answers: Sequence[Answer]


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertPage:
    """One alert and everything it rests on."""

    alert: Any
    stream: Stream | None
    provenance: Sequence[Any]
    events: Sequence[Any]
    deliveries: Sequence[Any]
    exhibits: Sequence[Exhibit]
    explanation: Any | None

    @property
    def n_more(self) -> int:
        """Requests that are named by the alert but not shown."""
        return max(0, len(self.alert.request_keys) - N_REQUESTS)


def alert_list(*, state: str | None, deployment: str | None, before: int | None) -> AlertList:
    """Read one page of alerts, newest first."""
    given = {"state": state, "deployment": deployment, "before": before, "n_rows": PAGE + 1}
    with reading() as connection:
        rows = fetch(connection, "ui/alerts", given)
        counts = fetch(connection, "ui/alert_counts", {"deployment": deployment})
    older = rows[PAGE - 1].alert_id if len(rows) > PAGE else None
    return AlertList(rows=rows[:PAGE], counts={row.state: row.n for row in counts}, older=older)


def alert_page(alert_id: int) -> AlertPage | None:
    """Read one alert, None when there is none of that id."""
    with reading() as connection:
        found = fetch(connection, "ui/alert", {"alert_id": alert_id})
        if not found:
            return None
        of_alert = {"alert_id": alert_id}
        told = next(iter(fetch(connection, "ui/alert_explanation", of_alert)), None)
        return AlertPage(
            alert=found[0],
            stream=None if found[0].source else _stream(connection, found[0]),
            provenance=fetch(connection, "ui/alert_provenance", of_alert),
            events=fetch(connection, "ui/alert_events", of_alert),
            deliveries=fetch(connection, "ui/alert_deliveries", of_alert),
            exhibits=_exhibits(connection, found[0], told),
            explanation=told,
        )


def _stream(connection: Connection, alert: Any) -> Stream | None:
    until = alert.window_start + (alert.window_end - alert.window_start) * (N_WINDOWS // 2)
    given = {"deployment": alert.deployment, "until": until, "n_windows": N_WINDOWS}
    bounds = fetch(connection, "ui/last_windows", given)[0]
    first = min(bounds.first or alert.window_start, alert.window_start)
    last = max(bounds.last or alert.window_start, alert.window_start)
    found = streams_of(connection, alert.deployment, first, last, monitor=alert.monitor, segment=alert.segment)
    return next(iter(found), None)


def _exhibits(connection: Connection, alert: Any, told: Any | None) -> list[Exhibit]:
    # a metric of whole distributions names no request when the alert opens; explaining it does
    keys = list(alert.request_keys or (told.request_keys if told else ()))[:N_REQUESTS]
    where = {"request_keys": keys, "deployment": alert.deployment, "window_start": alert.window_start}
    requests = fetch(connection, "ui/alert_requests", {"request_keys": keys, "n_rows": N_REQUESTS})
    replays: dict[int, list[Any]] = defaultdict(list)
    for row in fetch(connection, "ui/alert_responses", where):
        replays[row.request_key].append(row)
    scores: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for row in fetch(connection, "ui/alert_scores", where):
        scores[row.request_key, row.lane, row.variant, row.repeat].append(row)
    exhibits = []
    for request in requests:
        payload = payload_of(request)
        replayed = [_replayed(row, payload, scores) for row in replays[request.request_key]]
        exhibits.append(
            Exhibit(request=request, payload=payload, answers=[_logged(request, payload, scores), *replayed])
        )
    return exhibits


def _logged(request: Any, payload: Payload, scores: Mapping[tuple[Any, ...], list[Any]]) -> Answer:
    why = f"the request failed: {request.error_type or 'no cause was logged'}"
    if request.key_id is not None and request.wrapped_key is None:
        why = _ERASED
    return Answer(
        lane="logged",
        variant="as_logged",
        repeat=0,
        text=None if payload.response_text is None else payload.response_text[:LONGEST_TEXT],
        n_characters=request.n_characters,
        reason=None if payload.response_text is not None else why,
        facts={
            "model": request.model_version or request.model,
            "latency_ms": request.latency_ms,
            "n_output_tokens": request.n_output_tokens,
            "ttft_ms": request.ttft_ms,
        },
        change={},
        prompt=None,
        scores=_scores_of(scores, request.request_key, "logged"),
    )


def _replayed(row: Any, logged: Payload, scores: Mapping[tuple[Any, ...], list[Any]]) -> Answer:
    texts = replay_texts_of(row.content, row)
    return Answer(
        lane=row.lane,
        variant=row.variant,
        repeat=row.repeat,
        text=None if texts.response_text is None else texts.response_text[:LONGEST_TEXT],
        n_characters=row.n_characters,
        reason=_ERASED if texts.is_gone else row.reason,
        facts={
            "latency_ms": row.latency_ms,
            "n_output_tokens": row.n_output_tokens,
            "ttft_ms": row.ttft_ms,
            "mean_logprob": row.mean_logprob,
            "logged_mean_logprob": row.logged_mean_logprob,
        },
        change={**row.change, "terms": texts.terms} if texts.terms else row.change,
        prompt=None if texts.messages == logged.messages else last_user_turn(texts.messages) or "",
        scores=scores.get((row.request_key, row.lane, row.variant, row.repeat), []),
    )


def _scores_of(scores: Mapping[tuple[Any, ...], list[Any]], request_key: int, lane: str) -> list[Any]:
    return [row for (key, of_lane, *_), rows in scores.items() if (key, of_lane) == (request_key, lane) for row in rows]
