"""Passages of a team's reference texts: written by document, found by words and by vector."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlalchemy import Connection

from llmmon.store.database import execute, fetch

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LITTLE_ENDIAN: Final = np.dtype("<f4")


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A stretch ``[start, end)`` of characters of a document."""

    document: str
    start: int
    end: int
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PassageVectors:
    """Every passage of some facts.

    Parameters
    ----------
    ids : array of int64, shape (n,)
        Keys of the passages.
    vectors : array of float32, shape (n, d)
        Unit vectors in the order of `ids`.
    digest : bytes
        Of all that the passages were made from.
    """

    ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    digest: bytes


def lock_facts(connection: Connection, facts: str) -> None:
    """Keep others from indexing `facts` until the transaction ends."""
    fetch(connection, "fact_passage/lock", {"facts": facts})


def indexed_documents(connection: Connection, facts: str) -> dict[str, tuple[bytes, int]]:
    """Return the digest and the number of passages of each document of `facts`."""
    rows = fetch(connection, "fact_passage/digests", {"facts": facts})
    return {row.document: (bytes(row.digest), row.n_passages) for row in rows}


def remove_documents(connection: Connection, facts: str, documents: Sequence[str]) -> int:
    """Remove documents of `facts`; return how many passages that were."""
    return execute(connection, "fact_passage/remove", {"facts": facts, "documents": list(documents)})


def add_passages(
    connection: Connection,
    facts: str,
    passages: Sequence[Passage],
    vectors: NDArray[np.float32],
    *,
    digest: bytes,
    language: str,
) -> None:
    """Add the passages of one document with their vectors, a row each."""
    if not passages:
        return
    rows = [
        {
            "start_offset": passage.start,
            "end_offset": passage.end,
            "content": passage.content,
            "embedding": base64.b64encode(vector.astype(_LITTLE_ENDIAN).tobytes()).decode(),
        }
        for passage, vector in zip(passages, vectors, strict=True)
    ]
    place = {"facts": facts, "document": passages[0].document, "digest": digest, "language": language}
    execute(connection, "fact_passage/add", {**place, "rows": json.dumps(rows)})


def passage_vectors(connection: Connection, facts: str) -> PassageVectors:
    """Return the vectors of every passage of `facts`."""
    rows = fetch(connection, "fact_passage/vectors", {"facts": facts})
    digests = sorted({bytes(row.digest) for row in rows})
    raw = b"".join(row.embedding for row in rows)
    return PassageVectors(
        ids=np.array([row.fact_passage_id for row in rows], dtype=np.int64),
        vectors=np.frombuffer(raw, dtype=_LITTLE_ENDIAN).reshape(len(rows), -1) if rows else np.zeros((0, 0), "f4"),
        digest=hashlib.sha256(b"".join(digests)).digest(),
    )


def passages_by_words(
    connection: Connection, facts: str, texts: Sequence[str], *, language: str, limit: int
) -> list[list[int]]:
    """Return for each text the keys of the passages that share words with it, best first, at most `limit`."""
    given = {"facts": facts, "texts": list(texts), "language": language, "limit": limit}
    found: defaultdict[int, list[int]] = defaultdict(list)
    for row in fetch(connection, "fact_passage/by_words", given):
        found[row.place].append(row.fact_passage_id)
    return [found[place] for place in range(1, len(texts) + 1)]


def passages_of(connection: Connection, ids: Sequence[int]) -> Mapping[int, Passage]:
    """Return some passages by their keys."""
    rows: Sequence[Any] = fetch(connection, "fact_passage/texts", {"ids": list(ids)})
    return {
        row.fact_passage_id: Passage(
            document=row.document, start=row.start_offset, end=row.end_offset, content=row.content
        )
        for row in rows
    }
