"""Everything that is kept of one subject, and its erasure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row

from llmmon.errors import UnknownSubjectError
from llmmon.model import Json, RequestLog
from llmmon.store.database import execute, fetch
from llmmon.store.payload import SubjectKey, make_subject_keys, opened

_PAGE: Final = 500
_BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)
_NOT_FOR_EXPORT: Final = {"content", "evidence", "key_id", "wrapped_key", "digest", "provenance_id"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """The end of a subject's key.

    Parameters
    ----------
    key_id : int or None
        The key that was destroyed; None when all that was kept were quarantined rows.
    n_requests, n_responses, n_scores : int
        Rows whose texts nobody can read any more.
    n_quarantined : int
        Quarantined rows that were removed.
    """

    erasure_id: int
    user_ref: str
    key_id: int | None
    n_requests: int
    n_responses: int
    n_scores: int
    n_quarantined: int
    erased_at: datetime


def erase(connection: Connection, user_ref: str, *, because: str, erased_by: str) -> Erasure:
    """Destroy the key of a subject, remove its quarantined rows, and keep that this was done.

    Loaders that are under way end first. Digests and roots of batches do not change.

    Raises
    ------
    UnknownSubjectError
        When nothing is kept of the subject, or it was erased before.
    """
    fetch(connection, "subject_key/lock")
    destroyed = fetch(connection, "subject_key/destroy", {"user_ref": user_ref})
    n_quarantined = execute(connection, "quarantine/forget_subject", {"user_ref": user_ref})
    if not destroyed and not n_quarantined:
        raise unknown_subject(connection, user_ref)
    key_id = destroyed[0].key_id if destroyed else None
    done = {
        "user_ref": user_ref,
        "key_id": key_id,
        "n_quarantined": n_quarantined,
        **fetch(connection, "subject_erasure/count", {"key_id": key_id})[0]._mapping,
    }
    (kept,) = fetch(connection, "subject_erasure/keep", {**done, "because": because, "erased_by": erased_by})
    return Erasure(**done, **kept._mapping)


def sealing_keys(connection: Connection, requests: Sequence[RequestLog]) -> list[SubjectKey | None]:
    """Return what the texts of each of some new requests are sealed under, making the keys of new subjects.

    A request from before its subject's erasure has a key that was destroyed: its texts are not stored. Who comes back
    after an erasure is a new subject of the same reference. Nobody is erased until this transaction ends.
    """
    fetch(connection, "subject_key/lock_shared")
    ends = _last_erasures(connection, {request.user_ref for request in requests if request.user_ref})
    destroyed = [
        end is not None and request.occurred_at <= end.erased_at
        for request in requests
        for end in [ends.get(request.user_ref or "")]
    ]
    known_by = zip(requests, destroyed, strict=True)
    keys = make_subject_keys(connection, {item.user_ref for item, is_gone in known_by if item.user_ref and not is_gone})
    return [
        SubjectKey(ends[request.user_ref or ""].key_id, None) if is_gone else keys.get(request.user_ref or "")
        for request, is_gone in zip(requests, destroyed, strict=True)
    ]


def subject_requests(connection: Connection, user_ref: str) -> Iterator[Json]:
    """Yield the requests of a subject, oldest first, each with its texts, replays, scores, reviews and alerts.

    Raises
    ------
    SealError
        When ``LLMMON_PRIVACY_KEY`` is missing or another one.
    """
    after: tuple[datetime, int] = (_BEGINNING, -1)
    while True:
        place = {"user_ref": user_ref, "after_at": after[0], "after_key": after[1], "limit": _PAGE}
        rows = fetch(connection, "subject/requests", place)
        if not rows:
            break
        keys = {"request_keys": [row.request_key for row in rows]}
        replays = _by_request(fetch(connection, "subject/responses", keys))
        scores = _by_request(fetch(connection, "subject/scores", keys))
        reviews = _by_request(fetch(connection, "subject/reviews", keys))
        alerts: dict[int, list[int]] = defaultdict(list)
        for alert in fetch(connection, "subject/alerts", keys):
            for key in alert.request_keys:
                alerts[key].append(alert.alert_id)
        for row in rows:
            yield {
                **_facts(row),
                **_texts(row.content, row),
                "replays": [{**_facts(item), **_texts(item.content, item)} for item in replays[row.request_key]],
                "scores": [
                    {**_facts(item), "evidence": _texts(item.evidence, item)} for item in scores[row.request_key]
                ],
                "reviews": [_facts(item) for item in reviews[row.request_key]],
                "alerts": alerts[row.request_key],
            }
        after = (rows[-1].occurred_at, rows[-1].request_key)


def _last_erasures(connection: Connection, user_refs: Collection[str]) -> Mapping[str, Row[Any]]:
    """Return by subject the key_id and the time of its last erasure; subjects that were never erased lack."""
    if not user_refs:
        return {}
    rows = fetch(connection, "subject_erasure/find", {"user_refs": sorted(user_refs)})
    return {row.user_ref: row for row in rows}


def unknown_subject(connection: Connection, user_ref: str) -> UnknownSubjectError:
    """Return the error that nothing is kept of a subject, and since when."""
    before = _last_erasures(connection, [user_ref]).get(user_ref)
    if before is not None:
        return UnknownSubjectError(f"{user_ref}: erased already, at {before.erased_at:%Y-%m-%d %H:%M} UTC")
    return UnknownSubjectError(
        f"{user_ref}: nothing is kept of this subject; expected a reference as in request_log.user_ref, "
        "or --user with the user as the log names it, under the LLMMON_PRIVACY_KEY that it was loaded under"
    )


def _by_request(rows: Sequence[Row[Any]]) -> Mapping[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[row.request_key].append(row)
    return found


def _facts(row: Row[Any]) -> dict[str, Any]:
    return {name: value for name, value in row._mapping.items() if name not in _NOT_FOR_EXPORT}


def _texts(content: Any, row: Any) -> dict[str, Any]:
    found = opened(content, row)
    return {} if found is None else msgspec.json.decode(found)
