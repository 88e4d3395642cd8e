"""What people and models wrote, apart from the facts: a document of JSON, sealed when its request has a subject."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from llmmon.errors import SealError
from llmmon.model import Document, Json, Message, RequestLog, Window
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

    @property
    def is_gone(self) -> bool:
        """Whether nothing is left, because the subject was erased or retention removed the texts."""
        return self is _GONE  # a log can withhold every text itself


class ReplayTexts(msgspec.Struct, frozen=True, kw_only=True):
    """The texts of one replay; all of them absent once its subject was erased.

    Parameters
    ----------
    messages, documents
        The input that was replayed, after the variant changed it.
    terms : tuple
        What the variant changed: words of the input.
    told : str or None
        What an endpoint answered in place of a completion; it can quote the input.
    """

    messages: tuple[Message, ...] = ()
    documents: tuple[Document, ...] = ()
    response_text: str | None = None
    terms: tuple[Json, ...] = ()
    told: str | None = None

    @property
    def is_gone(self) -> bool:
        """Whether nothing is left, because the subject was erased."""
        return self is _NO_REPLAY


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Payload).decode
_decode_replay = msgspec.json.Decoder(ReplayTexts).decode
_GONE: Final = Payload()
_NO_REPLAY: Final = ReplayTexts()


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """The key that the texts of one subject are sealed under, None once it was destroyed or when it never had one."""

    key_id: int | None
    key: bytes | None = field(repr=False)


def sealed(content: bytes, key: SubjectKey | None) -> bytes:
    """Return `content` as it is stored: sealed when its subject has a key, nothing once the key was destroyed."""
    if key is None:
        return content
    return b"" if key.key is None else seal(content, key.key)


def opened(content: Any, row: Any) -> bytes | None:
    """Return stored content as it was written, None when it cannot be read any more.

    Parameters
    ----------
    content : bytes or None
        As stored; None where retention removed it.
    row : Row
        With the columns key_id, and wrapped_key and user_ref of its ``subject_key``.

    Raises
    ------
    SealError
        When it is sealed and ``LLMMON_PRIVACY_KEY`` is missing or another one.
    """
    if not content:
        return None
    if row.key_id is None:
        return bytes(content)
    if row.wrapped_key is None:
        return None
    return open_sealed(bytes(content), _required().unwrap(bytes(row.wrapped_key), row.user_ref))


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
    """Return the texts of `request` as they are stored."""
    return sealed(content_of(request), key)


def payload_of(row: Any) -> Payload:
    """Return the texts of a request; `row` has the columns content, key_id, wrapped_key and user_ref, see `opened`."""
    content = opened(row.content, row)
    return _GONE if content is None else _decode(content)


def replay_texts_of(content: Any, row: Any) -> ReplayTexts:
    """Return the texts of a replay; see `opened`."""
    found = opened(content, row)
    return _NO_REPLAY if found is None else _decode_replay(found)


def subject_keys(connection: Connection, user_refs: Collection[str]) -> Mapping[str, SubjectKey]:
    """Return the keys of those subjects that have one."""
    if not user_refs:
        return {}
    master = _required()
    return {
        row.user_ref: SubjectKey(row.key_id, master.unwrap(bytes(row.wrapped_key), row.user_ref))
        for row in fetch(connection, "subject_key/find", {"user_refs": sorted(user_refs)})
    }


def keys_of_requests(connection: Connection, window: Window, request_keys: Collection[int]) -> Mapping[int, SubjectKey]:
    """Return by request_key what the texts of requests of `window` are sealed under; those without a subject lack."""
    given = {"start": window.start, "end": window.end, "request_keys": sorted(request_keys)}
    rows = fetch(connection, "subject_key/of_requests", given)
    subjects = {
        row.key_id: None if row.wrapped_key is None else _required().unwrap(bytes(row.wrapped_key), row.user_ref)
        for row in rows
    }
    return {row.request_key: SubjectKey(row.key_id, subjects[row.key_id]) for row in rows}


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
