"""Prove: an event's place under a signed head, as one text that whoever has the public key can check."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from llmmon.audit.offline_verifier import check_proof, head_of
from llmmon.errors import LedgerError
from llmmon.store import ledger
from llmmon.store.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """That an event is in a signed trail.

    Parameters
    ----------
    text : str
        C2SP tlog-proof, whose extra line holds the event's bytes.
    seq, size : int
        Place of the event, from 0, among the events under the signed head.
    body : str
        The event.
    """

    text: str
    event_id: int
    seq: int
    size: int
    body: str


def prove(database: Database, event_id: int, notes: Iterable[str], key: str) -> Proof:
    """Return the proof of an event under the newest of the signed heads, checked as its receiver will check it.

    Parameters
    ----------
    notes : iterable of str
        Signed heads.
    key : str
        Public key that signed them.

    Raises
    ------
    LedgerError
        When no head covers the event, a head was not signed by `key`, or the trail is not the one that was signed.
    """
    try:
        heads = sorted(((head_of(note, key)[0], note) for note in notes), reverse=True)
    except ValueError as error:
        raise LedgerError(f"a signed head does not hold: {error}") from error
    size, note = heads[0] if heads else (0, "")
    with database.transaction() as connection:
        found = ledger.inclusion_proof(connection, event_id, size)
    if found is None or found.path is None:
        raise LedgerError(
            f"event {event_id} is under no signed head, the newest covers {size} events; wait for the next"
        )
    entry = b64encode(ledger.entry_bytes(found.recorded_us, found.body)).decode()
    path = (b64encode(bytes(step)).decode() for step in found.path)
    proof = "\n".join(["c2sp.org/tlog-proof@v1", f"extra {entry}", f"index {found.seq}", *path])
    try:
        check_proof(proof, note, key)
    except ValueError as error:
        raise LedgerError(f"event {event_id}: {error}; `llmmon audit verify` tells more") from error
    return Proof(text=f"{proof}\n\n{note}", event_id=event_id, seq=int(found.seq), size=size, body=found.body)


def event_of(database: Database, *, batch_id: int | None, request_id: str | None, source: str | None) -> int:
    """Return the event that tells how a batch was loaded, given the batch or a request that it brought.

    Raises
    ------
    LedgerError
        When there is none, or several sources have a request of that id.
    """
    with database.transaction() as connection:
        if request_id is not None:
            batches = ledger.batches_of_request(connection, request_id, source)
            if len(batches) != 1:
                hint = "several sources have one, say which with --source" if batches else "none is stored"
                raise LedgerError(f"request {request_id!r}: {hint}")
            batch_id = batches[0]
        event_id = None if batch_id is None else ledger.event_of_batch(connection, batch_id)
    if event_id is None:
        raise LedgerError(f"no event tells of batch {batch_id}; `llmmon audit trail --event batch.loaded` lists them")
    return event_id
