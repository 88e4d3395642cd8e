"""What people and models wrote, apart from the facts: one text of JSON a request, sealed when it has a subject."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from llmmon.errors import SealError
from llmmon.model import Document, Json, Message, RequestLog
from llmmon.privacy.keys import VARIABLE, MasterKey, master_key, new_subject_key
from llmmon.privacy.sealing import open_sealed, seal
from llmmon.store.database import execute, fetch


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """The texts of one request; all of them absent once its subject was erased."""

    messages: tuple[Message, ...] = ()
    documents: tuple[Document, ...] = ()
    parameters: Json = {}
    response_text: str | None = None
    reference_answer: str | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Payload).decode
_ERASED: Final = Payload()


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """The key that the texts of one subject are sealed under."""

    key_id: int
    key: bytes = field(repr=False)


def content_of(request: RequestLog) -> bytes:
    """Return the texts of `request` as they are stored when they are not sealed."""
    return _encode(
        Payload(
            messages=request.messages,
            documents=request.documents,
            parameters=request.parameters,
            response_text=request.response_text,
            reference_answer=request.reference_answer,
        )
    )


def sealed_content(request: RequestLog, key: SubjectKey | None) -> bytes:
    """Return the texts of `request`, sealed when its subject has a key."""
    content = content_of(request)
    return content if key is None else seal(content, key.key)


def payload_of(row: Any) -> Payload:
    """Return the texts of a row with the columns content, key_id, wrapped_key and user_ref.

    Raises
    ------
    SealError
        When it is sealed and ``LLMMON_PRIVACY_KEY`` is missing or another one.
    """
    if row.content is None:
        return _ERASED  # retention removed the text and kept the facts
    if row.key_id is None:
        return _decode(row.content)
    if row.wrapped_key is None:
        return _ERASED
    return _decode(open_sealed(bytes(row.content), _required().unwrap(bytes(row.wrapped_key), row.user_ref)))


def subject_keys(connection: Connection, user_refs: Collection[str]) -> Mapping[str, SubjectKey]:
    """Return the keys of those subjects that have one."""
    if not user_refs:
        return {}
    master = _required()
    return {
        row.user_ref: SubjectKey(row.key_id, master.unwrap(bytes(row.wrapped_key), row.user_ref))
        for row in fetch(connection, "subject_key/find", {"user_refs": sorted(user_refs)})
    }


def make_subject_keys(connection: Connection, user_refs: Collection[str]) -> Mapping[str, SubjectKey]:
    """Return the key of each subject, making those that are missing."""
    known = subject_keys(connection, user_refs)
    missing = sorted(set(user_refs) - set(known))
    if not missing:
        return known
    master = _required()
    new = [{"user_ref": ref, "wrapped_key": master.wrap(new_subject_key(), ref)} for ref in missing]
    execute(connection, "subject_key/make", new)
    return subject_keys(connection, user_refs)


def _required() -> MasterKey:
    master = master_key()
    if master is None:
        raise SealError(f"{VARIABLE} is not set, and texts of subjects are sealed; set the key they were stored under")
    return master
