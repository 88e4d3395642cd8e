"""Items for review, what people said of them, and anchors."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, cast

import msgspec
from sqlalchemy import Connection, Row

from llmmon.errors import UnknownItemError
from llmmon.model import LOGGED, Scorable, Window
from llmmon.store.database import execute, fetch
from llmmon.store.payload import Payload, opened, payload_of
from llmmon.store.replay import storable, storable_json

Purpose = Literal["calibration", "anchor"]
_decode: Final = msgspec.json.Decoder(Payload).decode


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemDraw:
    """A response that was drawn for review, before the database has numbered it."""

    request_key: int
    occurred_at: datetime
    score: float
    probability: float
    stratum: str
    provenance_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """What one person said of one item.

    Parameters
    ----------
    label : int or None
        1 when the response has what the scorer looks for, 0 when it has not, None when the reviewer cannot tell.
    reason : str or None
        Why they cannot tell; None beside a label.
    spans : sequence of mapping
        ``start``, ``end`` and ``label`` of stretches of the response that show it.
    """

    review_item_id: int
    reviewer: str
    label: int | None
    reason: str | None = None
    spans: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    note: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemTexts:
    """An item as its reviewer sees it.

    Parameters
    ----------
    facts : Row
        Columns of ``queries/review_item/show.sql``.
    texts : Payload
        Of its request; `Payload.is_gone` once they were erased or are past their retention.
    evidence : mapping
        What the scorer rests on; empty when there is none or it cannot be read.
    reviews : sequence of Row
        Everything that was said of it, in order.
    """

    facts: Any
    texts: Payload
    evidence: Mapping[str, Any]
    reviews: Sequence[Row[Any]]


def population(
    connection: Connection, deployment: str, window: Window, scorer: str, *, is_sampled: bool
) -> Sequence[Row[Any]]:
    """Return the judged responses of `window` that can be drawn: ``request_key, occurred_at, score, provenance_id``.

    ``probability`` is that of the sample for replay where the scorer judges the sample only (`is_sampled`), else 1.
    """
    return fetch(connection, "review_item/population", {**_place(deployment, window, scorer), "is_sampled": is_sampled})


def drawn_items(connection: Connection, deployment: str, window: Window, scorer: str) -> Sequence[Row[Any]]:
    """Return what was drawn from windows that overlap `window`."""
    return fetch(connection, "review_item/drawn", _place(deployment, window, scorer))


def keep_items(
    connection: Connection, deployment: str, window: Window, scorer: str, draws: Sequence[ItemDraw], seed: int
) -> int:
    """Store drawn items and return how many are new."""
    place = {**_place(deployment, window, scorer), "seed": seed}
    return execute(connection, "review_item/keep", [{**place, **asdict(draw)} for draw in draws]) if draws else 0


def labelled_scores(connection: Connection, deployment: str, scorer: str, before: datetime) -> Sequence[Row[Any]]:
    """Return ``score, weight, label`` of each item that somebody labelled, of requests before `before`."""
    given = {"deployment": deployment, "scorer": scorer, "before": before}
    return fetch(connection, "review_item/labelled_scores", given)


def days_to_draw(connection: Connection, deployment: str, scorer: str, *, now: datetime, n_days: int) -> list[datetime]:
    """Return the starts of days that are over and that nothing was drawn from, the newest `n_days`, oldest first."""
    given = {"deployment": deployment, "scorer": scorer, "now": now, "n_days": n_days}
    return sorted(row.day for row in fetch(connection, "review_item/days", given))


def list_items(
    connection: Connection,
    *,
    deployment: str | None = None,
    scorer: str | None = None,
    purpose: Purpose = "calibration",
    only_open: bool = True,
    after: int | None = None,
    n_rows: int = 50,
) -> Sequence[Row[Any]]:
    """Return items without their texts, newest first; `after` is the number that a page starts below."""
    given = {"deployment": deployment, "scorer": scorer, "purpose": purpose}
    return fetch(connection, "review_item/list", {**given, "only_open": only_open, "after": after, "n_rows": n_rows})


def item_texts(connection: Connection, review_item_id: int) -> ItemTexts:
    """Return one item with its texts.

    Raises
    ------
    UnknownItemError
        When there is no such item.
    SealError
        When its texts are sealed and ``LLMMON_PRIVACY_KEY`` is missing or another one.
    """
    found = fetch(connection, "review_item/show", {"review_item_id": review_item_id})
    if not found:
        raise UnknownItemError(f"there is no item {review_item_id} for review; `llmmon review list` lists them")
    facts = found[0]
    evidence = None
    if facts.evidence is not None and facts.evidence_key_id == facts.key_id:
        evidence = opened(facts.evidence, facts)
    return ItemTexts(
        facts=facts,
        texts=_texts_of(facts),
        evidence={} if evidence is None else msgspec.json.decode(evidence),
        reviews=fetch(connection, "review/of_item", {"review_item_id": review_item_id}),
    )


def keep_review(connection: Connection, review: Review) -> int | None:
    """Add what somebody said and return its number; None when they said the same before.

    Raises
    ------
    UnknownItemError
        When there is no such item.
    """
    given = {
        **asdict(review),
        "reviewer": storable(review.reviewer),
        "reason": storable(review.reason),
        "note": storable(review.note),
        "spans": storable_json(list(review.spans)),
    }
    found = fetch(connection, "review/keep", given)
    if not found:
        item_texts(connection, review.review_item_id)  # raises where there is none
        return None
    return int(found[0].review_id)


def standing_reviews(connection: Connection, deployment: str | None, scorer: str | None) -> Sequence[Row[Any]]:
    """Return the last word of each reviewer on each item, without texts of requests."""
    return fetch(connection, "review/export", {"deployment": deployment, "scorer": scorer})


def fix_anchors(connection: Connection, deployment: str, scorer: str, *, n_each: int) -> int:
    """Make anchors of at most `n_each` labelled items of each label and return how many are new."""
    return execute(connection, "anchor/fix", {"deployment": deployment, "scorer": scorer, "n_each": n_each})


def fix_own_anchor(
    connection: Connection,
    deployment: str,
    scorer: str,
    *,
    name: str,
    label: int | None,
    texts: Payload,
    score: float | None,
    provenance_id: int,
) -> bool:
    """Make an anchor of the team's own texts and return whether it is new; one of that name stays as it is."""
    given = {
        "deployment": deployment,
        "scorer": scorer,
        "name": storable(name),
        "stratum": "" if label is None else str(label),
        "content": storable_json(json.loads(msgspec.json.encode(texts))),
        "score": score,
        "provenance_id": provenance_id,
    }
    return bool(fetch(connection, "anchor/fix_own", given))


def anchors_of(connection: Connection, deployment: str, scorer: str) -> list[tuple[int, Scorable | None]]:
    """Return the number of each anchor of a scorer and what it is to judge; None where its texts are gone."""
    rows = fetch(connection, "anchor/texts", {"deployment": deployment, "scorer": scorer})
    return [(row.review_item_id, _scorable(row)) for row in rows]


def keep_anchor_scores(connection: Connection, rows: Collection[Mapping[str, Any]]) -> int:
    """Store what a scorer said of its anchors and return how many are new or different."""
    return execute(connection, "anchor/keep", list(rows)) if rows else 0


def _texts_of(row: Any) -> Payload:
    return payload_of(row) if row.own_content is None else _decode(json.dumps(row.own_content))


def _scorable(row: Any) -> Scorable | None:
    texts = _texts_of(row)
    if texts.is_gone:
        return None
    return Scorable(
        request_key=row.request_key or 0,
        lane=LOGGED,
        variant=cast("str", row.variant),
        repeat=row.repeat,
        messages=texts.messages,
        documents=texts.documents,
        text=texts.response_text,
        reference_answer=texts.reference_answer,
    )


def _place(deployment: str, window: Window, scorer: str) -> dict[str, Any]:
    return {"deployment": deployment, "start": window.start, "end": window.end, "scorer": scorer}
