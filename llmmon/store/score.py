"""Responses to be judged, and what the scorers said of them."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from llmmon.model import LOGGED, Scorable, Score, Window
from llmmon.store.database import execute, fetch
from llmmon.store.payload import keys_of_requests, payload_of, replay_texts_of, sealed

_BEGINNING: Final = (datetime(1, 1, 1, tzinfo=UTC), -1)
Page = tuple[datetime, int]
"""Where a page of logged responses ended: event time and request key."""


class LoggedResponse(NamedTuple):
    """A logged response to be judged; `is_gone`: its texts were erased or removed, there is nothing to judge."""

    response: Scorable
    is_sampled: bool
    is_gone: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What one scorer said of one response."""

    response: Scorable
    scorer: str
    score: Score
    provenance_id: int


def logged_responses(
    connection: Connection, deployment: str, window: Window, *, lanes: Sequence[str], after: Page | None, limit: int
) -> tuple[list[LoggedResponse], Page | None]:
    """Return a page of logged responses and where the page ended.

    Parameters
    ----------
    lanes : sequence of str
        Replay lanes in the order in which they are asked for the log-probability of the logged text.
    after : tuple or None
        Where the page before ended; None for the first page.
    """
    after_at, after_key = after or _BEGINNING
    parameters = {
        "deployment": deployment,
        "start": window.start,
        "end": window.end,
        "lanes": list(lanes),
        "after_at": after_at,
        "after_key": after_key,
        "limit": limit,
    }
    rows = fetch(connection, "score/logged_responses", parameters)
    page = [_logged(row, is_sampled=bool(row.is_sampled)) for row in rows]
    return page, (rows[-1].occurred_at, rows[-1].request_key) if rows else None


def sampled_responses(
    connection: Connection, deployment: str, window: Window, *, lanes: Sequence[str]
) -> list[LoggedResponse]:
    """Return the logged responses of the window's sample; `lanes` as in `logged_responses`."""
    place = {"deployment": deployment, "start": window.start, "end": window.end, "lanes": list(lanes)}
    return [_logged(row, is_sampled=True) for row in fetch(connection, "score/sampled_responses", place)]


def _logged(row: Any, *, is_sampled: bool) -> LoggedResponse:
    payload = payload_of(row)
    logged = Scorable(
        request_key=row.request_key,
        lane=LOGGED,
        variant="as_logged",
        repeat=0,
        messages=payload.messages,
        documents=payload.documents,
        text=payload.response_text,
        reference_answer=payload.reference_answer,
        mean_logprob=row.logged_mean_logprob,
    )
    return LoggedResponse(logged, is_sampled, payload.is_gone)


def replayed_responses(
    connection: Connection, deployment: str, window: Window, *, lanes: Sequence[str]
) -> Iterator[Scorable]:
    """Yield the replayed responses of some lanes, each with the other answers to the same input on its lane.

    Responses whose texts were erased are left out.
    """
    place = {"deployment": deployment, "start": window.start, "end": window.end, "lanes": list(lanes)}
    rows = fetch(connection, "score/replayed_responses", place)
    opened = ((row, replay_texts_of(row.replay, row)) for row in rows)
    readable = [(row, texts) for row, texts in opened if not texts.is_gone]
    inputs = [(row.sample_id, row.lane, texts.messages, texts.documents) for row, texts in readable]
    answers: dict[tuple[object, ...], list[tuple[int, str, float | None]]] = defaultdict(list)
    for index, ((row, texts), key) in enumerate(zip(readable, inputs, strict=True)):
        if texts.response_text is not None:
            answers[key].append((index, texts.response_text, row.mean_logprob))
    for index, ((row, texts), key) in enumerate(zip(readable, inputs, strict=True)):
        others = [(text, logprob) for other, text, logprob in answers[key] if other != index]
        yield Scorable(
            request_key=row.request_key,
            lane=row.lane,
            variant=row.variant,
            repeat=row.repeat,
            messages=texts.messages,
            documents=texts.documents,
            text=texts.response_text,
            reference_answer=payload_of(row).reference_answer,
            siblings=tuple(text for text, _ in others),
            sibling_logprobs=tuple(logprob for _, logprob in others),
            mean_logprob=row.mean_logprob,
        )


def keep_scores(connection: Connection, deployment: str, window: Window, judgements: Sequence[Judgement]) -> int:
    """Write judgements and return how many are new or different; a judgement that stays the same is not touched."""
    keys = keys_of_requests(connection, window, {item.response.request_key for item in judgements})
    rows = []
    # every writer takes the rows in the same order, so that two runs of one window wait instead of deadlocking
    for item in sorted(judgements, key=_identity):
        key = keys.get(item.response.request_key)
        # scorers may quote what they judged
        evidence = sealed(json.dumps(dict(item.score.evidence), sort_keys=True, allow_nan=False).encode(), key)
        row = {
            "request_key": item.response.request_key,
            "lane": item.response.lane,
            "variant": item.response.variant,
            "repeat": item.response.repeat,
            "scorer": item.scorer,
            "value": item.score.value,
            "label": item.score.label,
            "reason": item.score.reason,
            "spans": [asdict(span) for span in item.score.spans],
            "key_id": None if key is None else key.key_id,
            "evidence": base64.b64encode(evidence).decode(),
            "provenance_id": item.provenance_id,
        }
        rows.append(row)
    if not rows:
        return 0
    place = {"deployment": deployment, "start": window.start}
    return execute(connection, "score/keep", {**place, "rows": json.dumps(rows, allow_nan=False)})


def _identity(item: Judgement) -> tuple[int, str, str, int, str]:
    return item.response.request_key, item.response.lane, item.response.variant, item.response.repeat, item.scorer
