"""Responses to be judged, and what the scorers said of them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection

from llmmon.model import LOGGED, Document, Message, Scorable, Score, Window
from llmmon.store.database import execute, fetch
from llmmon.store.payload import payload_of

_BEGINNING: Final = (datetime(1, 1, 1, tzinfo=UTC), -1)
Page = tuple[datetime, int]
"""Where a page of logged responses ended: event time and request key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What one scorer said of one response."""

    response: Scorable
    scorer: str
    score: Score
    provenance_id: int


def logged_responses(
    connection: Connection, deployment: str, window: Window, *, lanes: Sequence[str], after: Page | None, limit: int
) -> tuple[list[tuple[Scorable, bool]], Page | None]:
    """Return a page of logged responses, each with whether its request is sampled, and where the page ended.

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
    page = []
    for row in rows:
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
        page.append((logged, bool(row.is_sampled)))
    return page, (rows[-1].occurred_at, rows[-1].request_key) if rows else None


def replayed_responses(
    connection: Connection, deployment: str, window: Window, *, lanes: Sequence[str]
) -> Iterator[Scorable]:
    """Yield the replayed responses of some lanes, each with the other answers to the same input on its lane."""
    place = {"deployment": deployment, "start": window.start, "end": window.end, "lanes": list(lanes)}
    rows = fetch(connection, "score/replayed_responses", place)
    inputs = [json.dumps([row.sample_id, row.lane, row.messages, row.documents], sort_keys=True) for row in rows]
    answers: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for index, (row, key) in enumerate(zip(rows, inputs, strict=True)):
        if row.response_text is not None:
            answers[key].append((index, row.response_text))
    for index, (row, key) in enumerate(zip(rows, inputs, strict=True)):
        yield Scorable(
            request_key=row.request_key,
            lane=row.lane,
            variant=row.variant,
            repeat=row.repeat,
            messages=_messages(row.messages),
            documents=_documents(row.documents),
            text=row.response_text,
            reference_answer=payload_of(row).reference_answer,
            siblings=tuple(text for other, text in answers[key] if other != index),
            mean_logprob=row.mean_logprob,
        )


def keep_scores(connection: Connection, deployment: str, window: Window, judgements: Sequence[Judgement]) -> int:
    """Write judgements and return how many are new or different; a judgement that stays the same is not touched."""
    rows = [
        {
            "request_key": item.response.request_key,
            "lane": item.response.lane,
            "variant": item.response.variant,
            "repeat": item.response.repeat,
            "scorer": item.scorer,
            "value": item.score.value,
            "label": item.score.label,
            "reason": item.score.reason,
            "spans": [asdict(span) for span in item.score.spans],
            "evidence": dict(item.score.evidence),
            "provenance_id": item.provenance_id,
        }
        # every writer takes the rows in the same order, so that two runs of one window wait instead of deadlocking
        for item in sorted(judgements, key=_identity)
    ]
    if not rows:
        return 0
    place = {"deployment": deployment, "start": window.start}
    return execute(connection, "score/keep", {**place, "rows": json.dumps(rows, allow_nan=False)})


def _identity(item: Judgement) -> tuple[int, str, str, int, str]:
    return item.response.request_key, item.response.lane, item.response.variant, item.response.repeat, item.scorer


def _messages(turns: Sequence[Any]) -> tuple[Message, ...]:
    return tuple(Message(role=turn["role"], content=turn["content"]) for turn in turns)


def _documents(documents: Sequence[Any]) -> tuple[Document, ...]:
    return tuple(Document(content=item["content"], document_id=item.get("document_id")) for item in documents)
