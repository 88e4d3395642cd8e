"""What must be true after every fault: each row of the log is in exactly one place, and every sum closes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from llmmon.audit.tree import root_of
from llmmon.privacy.keys import master_key
from llmmon.store.database import Database
from llmmon.store.payload import payload_of
from llmmon.store.request_log import request_log
from llmmon.store.stored_request import digest_of_row
from tests.faults.traffic import Traffic

# each of these must be empty
_CONTRADICTIONS = {
    "batches whose sums, quarantine or order do not close": """
        SELECT batch_id FROM compliance.ingest_reconciliation
         WHERE NOT adds_up OR n_in_quarantine <> n_bad OR NOT follows_the_batch_before""",
    "batches whose new rows are not those that carry its number": """
        SELECT batch_id FROM llmmon.ingest_batch AS batch WHERE n_new <>
               (SELECT count(*) FROM llmmon.request_log AS log WHERE log.batch_id = batch.batch_id)""",
    "batches without exactly one audit event of the same counts": """
        SELECT batch.batch_id FROM llmmon.ingest_batch AS batch LEFT JOIN audit.trail AS told
            ON told.event = 'batch.' || batch.state AND (told.detail ->> 'batch_id')::bigint = batch.batch_id
           AND told.detail @> jsonb_build_object('n_in', n_in, 'n_new', n_new, 'n_dup', n_dup, 'n_bad', n_bad)
           AND told.detail ->> 'raw_digest' = encode(batch.raw_digest, 'hex')
         WHERE batch.state IN ('loaded', 'released') GROUP BY batch.batch_id HAVING count(told.event_id) <> 1""",
    "audit events of batches that there are not": """
        SELECT event_id FROM audit.trail WHERE event LIKE 'batch.%%' AND NOT EXISTS (SELECT FROM llmmon.ingest_batch
         WHERE batch_id = (detail ->> 'batch_id')::bigint)""",
    "requests of batches that there are not": """
        SELECT request_id FROM llmmon.request_log LEFT JOIN llmmon.ingest_batch USING (batch_id)
         WHERE ingest_batch.batch_id IS NULL""",
    "identities without facts, or facts without identity": """
        SELECT request_key FROM llmmon.request_identity AS identity
          FULL JOIN llmmon.request_log AS log USING (request_key, source, request_id, occurred_at)
         WHERE identity.request_id IS NULL OR log.batch_id IS NULL""",
    "texts without facts, or facts without texts": """
        SELECT request_key FROM llmmon.request_payload AS payload
          FULL JOIN llmmon.request_log AS log USING (request_key, occurred_at)
         WHERE payload.content IS NULL OR log.batch_id IS NULL""",
    "subjects' keys that seal nothing": """
        SELECT key_id FROM llmmon.subject_key AS key
         WHERE NOT EXISTS (SELECT FROM llmmon.request_payload AS payload WHERE payload.key_id = key.key_id)""",
    "cursors that are not where the last batch ended": """
        SELECT source FROM llmmon.source_cursor AS place WHERE position <> 'null' AND position IS DISTINCT FROM
               (SELECT to_position FROM llmmon.ingest_batch AS batch
                 WHERE batch.source = place.source AND n_from_quarantine = 0 ORDER BY batch_id DESC LIMIT 1)""",
}
_ROWS = """
    SELECT log.*, payload.content, payload.key_id, key.wrapped_key
      FROM llmmon.request_log AS log JOIN llmmon.request_payload AS payload USING (request_key, occurred_at)
      LEFT JOIN llmmon.subject_key AS key USING (key_id, user_ref) ORDER BY request_key
"""


@dataclass
class Account:
    """Rows that are not where they belong, by what went wrong, and each finding in words."""

    lost: int = 0
    double_counted: int = 0
    unaccounted: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def closes(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.double_counted or self.unaccounted)

    def find(self, what: str, n: int, words: str) -> None:
        """Add `n` to one of the three figures."""
        if n:
            setattr(self, what, getattr(self, what) + n)
            self.findings.append(f"{what} {n}: {words}")


def account(database: Database, traffic: Traffic) -> Account:
    """Compare the store with the truth about the log, which was read to its end."""
    found = Account()
    with database.transaction() as connection:
        stored = Counter(_column(connection, "SELECT request_id FROM llmmon.request_log"))
        quarantined = Counter((row.byte_offset, row.raw) for row in quarantine(connection))
        sums = "SELECT coalesce(sum({}), 0)::bigint FROM llmmon.ingest_batch WHERE state IN ('loaded', 'released')"
        n_in, n_new, n_dup, n_bad = (
            _column(connection, sums.format(name))[0] for name in ("n_in", "n_new", "n_dup", "n_bad")
        )
        for words, n in contradictions(connection).items():
            found.find("unaccounted", n, words)
    expected = Counter(traffic.ids)
    found.find("lost", (expected - stored).total(), "requests of the log are not in request_log")
    found.find("lost", (traffic.bad - quarantined).total(), "bad rows of the log are not in quarantine")
    found.find("double_counted", stored.total() - len(stored), "requests are stored again")
    found.find("double_counted", max(0, n_in - traffic.n_rows), "rows were counted as read more often than they are")
    again = sum((quarantined - traffic.bad)[row] for row in traffic.bad)
    found.find("double_counted", again, "bad rows are in quarantine again")
    found.find("unaccounted", len(set(stored) - set(expected)), "requests are stored that no log holds")
    found.find("unaccounted", len(set(quarantined) - set(traffic.bad)), "rows in quarantine that no log holds")
    found.find("unaccounted", max(0, traffic.n_rows - n_in), "rows of the log are in no batch's count")
    sums_differ = abs(n_new - len(traffic.ids)) + abs(n_dup - traffic.n_dup) + abs(n_bad - traffic.bad.total())
    found.find("unaccounted", sums_differ, "rows are counted as something else than they are")
    return found


def contradictions(connection: Connection) -> dict[str, int]:
    """Return what must never be in a store, at any moment, and how much of it there is."""
    found = {words: len(_column(connection, query)) for words, query in _CONTRADICTIONS.items()}
    found["rows or batches whose digest is another"] = _n_unproven(connection)
    return {words: n for words, n in found.items() if n}


def contents(database: Database) -> list[Any]:
    """Return every request and bad row with its texts opened, so that two stores can be compared.

    Digests cannot be compared when texts are sealed: each store has keys of its own.
    """
    with database.transaction() as connection:
        requests = [request_log(row, payload_of(row)) for row in connection.exec_driver_sql(_ROWS).all()]
        bad = [(row.file, row.byte_offset, row.raw, row.code, row.reason) for row in quarantine(connection)]
    return [*sorted(requests, key=lambda request: request.request_id), *sorted(bad)]


@dataclass(frozen=True)
class _BadRow:
    file: str
    byte_offset: int
    raw: bytes
    code: str
    reason: str


def quarantine(connection: Connection) -> list[_BadRow]:
    """Return what is in quarantine, opened."""
    rows = connection.exec_driver_sql("SELECT * FROM llmmon.quarantine").all()
    master = master_key()
    found = []
    for row in rows:
        raw = bytes(row.raw)
        assert row.sealed == (master is not None)
        raw = raw if master is None else master.open_quarantine(raw)
        found.append(_BadRow(row.file, row.byte_offset, raw, row.code, row.reason))
    return found


def _n_unproven(connection: Connection) -> int:
    """Compute digests and roots again from what is stored; return how many differ."""
    digests: dict[int, list[bytes]] = {}
    n = 0
    for row in connection.exec_driver_sql(_ROWS).all():
        digest = digest_of_row(row, bytes(row.content))
        n += digest != bytes(row.digest)
        digests.setdefault(row.batch_id, []).append(digest)
    for batch in connection.exec_driver_sql("SELECT batch_id, root FROM llmmon.ingest_batch"):
        n += root_of(digests.get(batch.batch_id, [])) != (None if batch.root is None else bytes(batch.root))
    return n


def _column(connection: Connection, query: str) -> list[Any]:
    return [row[0] for row in connection.exec_driver_sql(query).all()]
