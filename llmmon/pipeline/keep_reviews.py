"""Keep what people said of items: one at a time, or a file of them; each review with its audit event."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection

from llmmon.audit.event import body
from llmmon.errors import ReviewError
from llmmon.store import audit
from llmmon.store.database import Database
from llmmon.store.review import Review, keep_review

CANNOT_TELL: Final = "cannot tell"
LONGEST_NOTE: Final = 4000
_FIELDS: Final = frozenset({"id", "item", "label", "reviewer", "reason", "spans", "note"})


def keep_reviews(database: Database, reviews: Iterable[Review], *, config_digest: str, by: str | None = None) -> int:
    """Keep reviews, all or none, and return how many say something new.

    Parameters
    ----------
    by : str or None
        Who brings them, for the audit trail: the login of a page; otherwise who runs this.

    Raises
    ------
    UnknownItemError
        When a review is of no item.
    """
    with database.transaction() as connection:
        return sum(_keep(connection, review, config_digest, by) for review in reviews)


def _keep(connection: Connection, review: Review, config_digest: str, by: str | None) -> bool:
    number = keep_review(connection, review)
    if number is None:
        return False
    fact = {
        "review_id": number,
        "reviewer": review.reviewer,
        "label": review.label,
        "n_spans": len(review.spans),
        "has_note": review.note is not None,
    }
    subject = f"review item {review.review_item_id}"
    audit.append(connection, body("review.given", subject, fact, config_digest=config_digest, by=by))
    return True


def reviews_of_lines(lines: Iterable[str], *, where: str, reviewer: str | None = None) -> Iterator[Review]:
    """Read reviews from lines such as ``{"item": 12, "label": 1, "reviewer": "mira", "note": "the year is wrong"}``.

    Parameters
    ----------
    where : str
        Name of the file, for errors.
    reviewer : str or None
        Who said it where a line does not say.

    Raises
    ------
    ReviewError
        When a line cannot be read; names the line and what was expected. Blank lines are passed over.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _review(line, f"{where}, line {number}", reviewer)


def _review(line: str, where: str, reviewer: str | None) -> Review:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ReviewError(f"{where}: not JSON: {str(error)[:100]}") from None
    if not isinstance(row, dict):
        raise ReviewError(f"{where}: expected an object with item, label and reviewer")
    unknown = sorted(set(row) - _FIELDS - {"id"})
    if unknown:
        raise ReviewError(f"{where}: unknown field {unknown[0]!r}; expected {', '.join(sorted(_FIELDS))}")
    item = row.get("item", row.get("id"))
    if isinstance(item, bool) or not isinstance(item, int):
        raise ReviewError(
            f"{where}: item: expected the number of an item, as `llmmon review list` shows it, got {item!r}"
        )
    label = row.get("label", _MISSING)
    if isinstance(label, bool) or label not in (0, 1, None):
        raise ReviewError(
            f"{where}: label: expected 0, 1 or null, got {'nothing' if label is _MISSING else repr(label)}"
        )
    who = row.get("reviewer", reviewer)
    if not isinstance(who, str) or not who.strip():
        raise ReviewError(f"{where}: reviewer: expected a name; give it in the line or with --by")
    texts = {name: row.get(name) for name in ("reason", "note")}
    for name, value in texts.items():
        if value is not None and (not isinstance(value, str) or len(value) > LONGEST_NOTE):
            raise ReviewError(f"{where}: {name}: expected a text of at most {LONGEST_NOTE} characters")
    reason = (texts["reason"] or CANNOT_TELL) if label is None else None
    return Review(
        review_item_id=item,
        reviewer=who.strip(),
        label=label,
        reason=reason,
        spans=_spans(row.get("spans") or [], where),
        note=texts["note"] or None,
    )


def _spans(spans: Any, where: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for span in spans if isinstance(spans, list) else [None]:
        start, end = span[:2] if isinstance(span, list) and len(span) >= 2 else (None, None)
        if isinstance(span, dict):
            start, end = span.get("start"), span.get("end")
        if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end:
            raise ReviewError(f"{where}: spans: expected [start, end] pairs of characters with 0 <= start < end")
        found.append({"start": start, "end": end})
    return found


_MISSING: Final = object()
