"""What the review pages show: the responses that wait for a person, and one of them with everything to judge it by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmmon.config import ReviewConfig
from llmmon.model import Document
from llmmon.store.database import fetch
from llmmon.store.review import ItemTexts, item_texts, list_items
from llmmon_airflow.settings import configuration
from llmmon_airflow.web.reading import reading

PAGE = 50
LONGEST_TEXT = 20_000
_ANY = ReviewConfig(question="Does the answer have what the scorer looks for?", yes="yes", no="no")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewList:
    """One page of open items, and the account of each scorer.

    `older` is the key that the next page starts below, `asked` what the configuration asks people about, as
    ``deployment: scorer``.
    """

    rows: Sequence[Any]
    account: Sequence[Any]
    older: int | None
    asked: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A stretch of a text, and whether the scorer points at it."""

    text: str
    is_marked: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewPage:
    """One item: what is asked, its texts with what the scorer points at, and what was said so far."""

    item: ItemTexts
    asked: ReviewConfig
    answer: Sequence[Piece]
    documents: Sequence[tuple[str, Sequence[Piece]]]


def review_list(deployment: str | None, before: int | None) -> ReviewList:
    """Read one page of the items that nobody has judged, newest first."""
    with reading() as connection:
        rows = list_items(connection, deployment=deployment, after=before, n_rows=PAGE + 1)
        account = fetch(connection, "ui/review_account", {"deployment": deployment})
    older = rows[PAGE - 1].review_item_id if len(rows) > PAGE else None
    asked = [
        f"{name}: {scorer}"
        for name, configured in sorted(configuration().deployments.items())
        if deployment in (None, name)
        for scorer in configured.review
    ]
    return ReviewList(rows=rows[:PAGE], account=account, older=older, asked=asked)


def review_page(item: int) -> ReviewPage:
    """Read one item.

    Raises
    ------
    UnknownItemError
        When there is no such item.
    """
    with reading() as connection:
        found = item_texts(connection, item)
    deployment = configuration().deployments.get(found.facts.deployment)
    asked = None if deployment is None else deployment.review.get(found.facts.scorer)
    return ReviewPage(
        item=found,
        asked=asked or _ANY,
        answer=pieces(found.texts.response_text or "", found.facts.spans or ()),
        documents=[
            (
                document.document_id or f"document {number + 1}",
                pieces(document.content, _evidence(found, document, number)),
            )
            for number, document in enumerate(found.texts.documents)
        ],
    )


def next_open(item: int) -> int | None:
    """Return the next item that waits: one below `item`, else the newest; None when nothing waits."""
    with reading() as connection:
        found = list_items(connection, after=item, n_rows=1) or list_items(connection, n_rows=1)
    return found[0].review_item_id if found else None


def pieces(text: str, spans: Iterable[Mapping[str, Any]]) -> list[Piece]:
    """Cut a text, at most its first 20,000 characters, where stretches that a scorer points at begin and end.

    Stretches may overlap, lie outside the text or be nonsense: what a scorer stored is shown as far as it fits.

    Examples
    --------
    >>> [(piece.text, piece.is_marked) for piece in pieces("He was 91.", [{"start": 7, "end": 9}])]
    [('He was ', False), ('91', True), ('.', False)]
    """
    shown, found, at = text[:LONGEST_TEXT], [], 0
    for start, end in sorted(_bounds(spans, len(shown))):
        if end > at:
            found.append(Piece(text=shown[at : max(at, start)], is_marked=False))
            found.append(Piece(text=shown[max(at, start) : end], is_marked=True))
            at = end
    return [piece for piece in (*found, Piece(text=shown[at:], is_marked=False)) if piece.text]


def _bounds(spans: Iterable[Mapping[str, Any]], size: int) -> list[tuple[int, int]]:
    found = []
    for span in spans:
        start, end = span.get("start"), span.get("end")
        if isinstance(start, int) and isinstance(end, int) and 0 <= start < min(end, size):
            found.append((start, min(end, size)))
    return found


def _evidence(item: ItemTexts, document: Document, number: int) -> list[Mapping[str, Any]]:
    """Return the stretches of a document that the scorer rests on, where its evidence names some."""
    sentences = item.evidence.get("sentences")
    names = {document.document_id, number}
    return [
        {"start": row.get("evidence_start"), "end": row.get("evidence_end")}
        for row in (sentences if isinstance(sentences, list) else ())
        if isinstance(row, Mapping) and row.get("document") in names
    ]
