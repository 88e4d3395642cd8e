"""What production logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from llmmon.model.json import Json

Status = Literal["ok", "error"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One piece of context that was given to the model."""

    content: str
    document_id: str | None = None


class RequestLog(msgspec.Struct, frozen=True, kw_only=True):
    """One logged production request with its response.

    Field names follow the OpenTelemetry GenAI conventions where one exists.

    Parameters
    ----------
    source, request_id : str
        Together the identity of the request: logged twice, it counts once.
    occurred_at : datetime
        Event time; decides the window.
    deployment : str
        What served it: a served model under a route.
    model : str
        As logged; providers have changed what it means.
    messages : tuple of Message
        The prompt, oldest turn first.
    documents : tuple of Document
        Retrieved context, empty when there was none.
    response_text : str or None
        None when the request failed before an answer.
    ttft_ms, latency_ms, cost_usd : float or None
        None when not logged.
    groups : mapping of str to str
        Attributes that fairness is measured over, such as ``{"age": "old"}``.
    tags : mapping of str to str
        Everything else worth slicing by.
    user : str or None
        Who asked, as logged; never stored.
    user_ref : str or None
        Pseudonym of the user, which loading puts in the user's place.
    cleaned : tuple of str
        Fields from which NUL or lone surrogates were removed, because Postgres refuses them.
    redacted : mapping of str to int
        How many pieces of personal data of each type were replaced.
    """

    source: str
    request_id: str
    occurred_at: datetime
    deployment: str
    model: str
    messages: tuple[Message, ...]
    model_version: str | None = None
    documents: tuple[Document, ...] = ()
    parameters: Json = {}
    response_text: str | None = None
    reference_answer: str | None = None
    finish_reason: str | None = None
    n_input_tokens: int | None = None
    n_output_tokens: int | None = None
    ttft_ms: float | None = None
    latency_ms: float | None = None
    status: Status = "ok"
    error_type: str | None = None
    cost_usd: float | None = None
    feedback: float | None = None
    route: str | None = None
    tenant: str | None = None
    language: str | None = None
    user: str | None = None
    user_ref: str | None = None
    conversation_id: str | None = None
    groups: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    cleaned: tuple[str, ...] = ()
    redacted: Mapping[str, int] = {}

    @property
    def prompt(self) -> str:
        """The last user turn."""
        return last_user_turn(self.messages) or ""


def last_user_turn(messages: Sequence[Message]) -> str | None:
    """Return what the user said last, None when no turn is the user's."""
    return next((turn.content for turn in reversed(messages) if turn.role == "user"), None)
