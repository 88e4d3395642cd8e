"""One new request as it is written: a line of facts, a tuple of payload, and the digest that binds both."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from llmmon.model import RequestLog
from llmmon.store.copy_text import array, binary, jsonb, number, text
from llmmon.store.payload import SubjectKey, sealed_content

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_BINARY_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_BINARY_TRAILER: Final = b"\xff\xff"
_NOT_SEALED: Final = struct.Struct("!hiqiqii")
_SEALED: Final = struct.Struct("!hiqiqiqi")
_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """A request with its number in the store and its texts as they are stored.

    Parameters
    ----------
    content : bytes
        JSON of the texts, sealed when the subject has a key.
    digest : bytes
        SHA-256 over facts and content; see `digest_of_row`.
    """

    request_key: int
    request: RequestLog
    key_id: int | None
    content: bytes
    digest: bytes


def stored(request_key: int, request: RequestLog, key: SubjectKey | None) -> StoredRequest:
    """Return `request` as it is written."""
    content = sealed_content(request, key)
    digest = digest_of_row(request, content)
    return StoredRequest(request_key, request, None if key is None else key.key_id, content, digest)


def digest_of_row(request: Any, content: bytes) -> bytes:
    """Return SHA-256 over a request's facts as JSON and its content as stored.

    Anybody can compute it again from a row of ``request_log`` and one of ``request_payload``, also after the key of
    the content was destroyed.

    Parameters
    ----------
    request : RequestLog or Row
        Whatever has the columns of ``request_log`` as attributes.
    content : bytes
        As stored.
    """
    facts = (
        request.source,
        request.request_id,
        request.occurred_at.isoformat(),
        request.deployment,
        request.model,
        request.model_version,
        request.route,
        request.tenant,
        request.language,
        request.user_ref,
        request.conversation_id,
        request.status,
        request.error_type,
        request.finish_reason,
        request.n_input_tokens,
        request.n_output_tokens,
        request.ttft_ms,
        request.latency_ms,
        request.cost_usd,
        request.feedback,
        request.groups,
        request.tags,
        request.redacted,
    )
    digest = hashlib.sha256(_encode(facts))
    digest.update(content)
    return digest.digest()


def fact_lines(rows: Sequence[StoredRequest], batch_id: int) -> Iterator[str]:
    """Yield a line for COPY into ``request_log`` for each row; see ``queries/request_log/copy.sql``."""
    for row in rows:
        request = row.request
        answer = request.response_text
        yield "\t".join(
            (
                str(row.request_key),
                str(batch_id),
                text(request.source),
                text(request.request_id),
                request.occurred_at.isoformat(),
                text(request.deployment),
                text(request.model),
                text(request.model_version),
                text(request.route),
                text(request.tenant),
                text(request.language),
                text(request.user_ref),
                text(request.conversation_id),
                request.status,
                text(request.error_type),
                text(request.finish_reason),
                number(None if answer is None else len(answer)),
                number(request.n_input_tokens),
                number(request.n_output_tokens),
                number(request.ttft_ms),
                number(request.latency_ms),
                number(request.cost_usd),
                number(request.feedback),
                jsonb(request.groups),
                jsonb(request.tags),
                array(request.cleaned),
                jsonb(request.redacted),
                f"{binary(row.digest)}\n",
            )
        )


def payload_tuples(rows: Sequence[StoredRequest]) -> Iterator[bytes]:
    """Yield COPY's binary format of ``request_payload``, which spares writing every byte as two digits.

    A tuple is the number of its fields and each field behind its length, -1 for null; a time is in microseconds from
    the start of the year 2000. See ``queries/request_payload/copy.sql``.
    """
    yield _BINARY_HEADER
    for row in rows:
        since = row.request.occurred_at - _EPOCH
        at = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        content = row.content
        if row.key_id is None:
            yield _NOT_SEALED.pack(4, 8, row.request_key, 8, at, -1, len(content)) + content
        else:
            yield _SEALED.pack(4, 8, row.request_key, 8, at, 8, row.key_id, len(content)) + content
    yield _BINARY_TRAILER
