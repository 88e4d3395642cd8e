"""One fact for the audit trail, as the exact text that is stored and later sealed."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import llmmon
from llmmon.model import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEvent:
    """Something that happened, told by names, counts and digests; the text of requests and answers never enters it.

    Parameters
    ----------
    event : str
        What happened, dotted, past participle last: ``batch.loaded``, ``alert.opened``.
    subject : str
        What it happened to: ``source demo-logs``, ``deployment survey-gpt4 window 2023-06-27T05:00:00``.
    detail : mapping
        Counts, states and identifiers, as JSON without NaN.
    """

    event: str
    subject: str
    detail: Json = field(default_factory=dict)

    def body(self, *, config_digest: str, by: str | None = None) -> str:
        """Return this fact with who, which code and which configuration, as canonical JSON.

        Keys are sorted and no space is left over, so that one fact has one spelling. What Postgres refuses inside
        jsonb (NUL, lone surrogates) becomes U+FFFD.

        Raises
        ------
        ValueError
            When `detail` holds NaN, infinity or something that is not JSON.
        """
        fact = {
            "event": self.event,
            "actor": by or actor(),
            "subject": self.subject,
            "code_version": llmmon.__version__,
            "config_digest": config_digest,
            "detail": self.detail,
        }
        try:
            return json.dumps(
                _storable(fact), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
            )
        except TypeError as error:
            raise ValueError(f"audit event {self.event!r}: detail is not JSON: {error}") from error


def body(event: str, subject: str, detail: Json, *, config_digest: str, by: str | None = None) -> str:
    """Return the text of one audit event; see `AuditEvent.body`. `by` names a person who signed in elsewhere."""
    return AuditEvent(event=event, subject=subject, detail=detail).body(config_digest=config_digest, by=by)


def actor() -> str:
    """Return who acts: ``LLMMON_ACTOR`` (a DAG task or a person sets it), or the operating system's user."""
    named = os.environ.get("LLMMON_ACTOR", "").strip()
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that no passwd file names
        return f"uid {os.getuid()}"


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\0", "\ufffd")
    if isinstance(value, Mapping):
        return {_storable(str(key)): _storable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_storable(item) for item in value]
    return value
