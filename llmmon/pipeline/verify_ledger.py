"""Verify that the audit trail is the one whose heads were signed, and that the loaded requests still fit it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

from llmmon.audit.offline_verifier import head_of
from llmmon.audit.tree import Tree, root_of
from llmmon.store import ledger
from llmmon.store.database import Database
from llmmon.store.stored_request import digest_of_row

Depth = Literal["events", "batches", "requests"]


@dataclass(kw_only=True)
class Verdict:
    """What was looked at, and what does not hold.

    Parameters
    ----------
    n_heads : int
        Signed heads that the events were compared with; without one nothing is proven.
    n_batches, n_requests : int
        Loaded batches, and requests, whose digests were computed anew or read again.
    n_retired : int
        Requests of those batches that retention removed, with an event that says so.
    problems : list of str
        Each shows that somebody changed what an auditor reads.
    doubts : list of str
        Places where the ledger's own tables contradict each other while the events hold.
    """

    n_events: int = 0
    n_heads: int = 0
    n_batches: int = 0
    n_requests: int = 0
    n_retired: int = 0
    problems: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.problems and not self.doubts


def verify_ledger(
    database: Database, notes: Mapping[str, str], key: str | None, *, depth: Depth = "batches"
) -> Verdict:
    """Read every sealed event, compute the tree anew and compare it with signed heads; then the batches it tells of.

    Parameters
    ----------
    notes : mapping
        Signed heads by where they come from, such as a file's name.
    key : str or None
        Public key that signed them; None only without notes.
    depth : str
        ``events``: the trail alone. ``batches``: also that the digests of each loaded batch give the root in its event.
        ``requests``: also that each request's facts and content give its digest; needs a login that reads payload.
    """
    verdict = Verdict()
    heads: dict[int, list[tuple[str, bytes]]] = {}
    for where, note in notes.items():
        try:
            size, root = head_of(note, key or "")
        except ValueError as error:
            verdict.problems.append(f"{where}: {error}")
        else:
            heads.setdefault(size, []).append((where, root))
    with database.transaction() as connection:
        sealed = ledger.seals(connection)
        verdict.doubts += ledger.doubts(connection)
    loaded: list[dict[str, Any]] = []
    retired: dict[date, int] = {}
    for body, tree in _trail(database, verdict):
        told = json.loads(body)
        if told["event"] in ("batch.loaded", "batch.released") and told["detail"].get("root"):
            loaded.append(told["detail"])
        elif told["event"] == "partition.dropped":
            day = date.fromisoformat(told["subject"].rpartition(" ")[2])
            retired[day] = retired.get(day, 0) + int(told["detail"]["n_requests"])
        if tree.size in sealed and sealed[tree.size] != tree.root:
            verdict.doubts.append(f"the head that was sealed at {tree.size} events is not theirs")
        for where, root in heads.pop(tree.size, ()):
            verdict.n_heads += 1
            if root != tree.root:
                verdict.problems.append(f"{where}: the first {tree.size} events are not those that were signed")
    for size, missing in sorted(heads.items()):
        verdict.problems += [
            f"{where}: {size} events were signed, {verdict.n_events} are there" for where, _ in missing
        ]
    if depth != "events":
        for detail in loaded:
            _verify_batch(database, detail, retired, verdict, whole=depth == "requests")
    return verdict


def _trail(database: Database, verdict: Verdict) -> Iterator[tuple[str, Tree]]:
    """Yield each event's text with the tree up to it, until something is missing."""
    tree = Tree()
    for entry in ledger.entries(database):
        if entry.seq != tree.size or entry.body is None:
            verdict.problems.append(f"the event at place {tree.size} is gone")
            break
        if tree.add(entry.bytes) != entry.hash:
            verdict.doubts.append(f"event {entry.event_id}: its hash in the ledger is not that of its text")
        verdict.n_events = tree.size
        yield entry.body, tree


def _verify_batch(
    database: Database, detail: Mapping[str, Any], retired: Mapping[date, int], verdict: Verdict, *, whole: bool
) -> None:
    batch_id = int(detail["batch_id"])
    with database.transaction() as connection:
        row = ledger.batch(connection, batch_id)
        if row is None or row.root is None or bytes(row.root).hex() != detail["root"]:
            verdict.problems.append(f"batch {batch_id}: its row is not what its event tells")
            return
        requests = ledger.batch_requests(connection, batch_id, row) if whole else None
        digests = (
            ledger.batch_digests(connection, batch_id, row)
            if requests is None
            else [bytes(request.digest) for request in requests]
        )
    verdict.n_batches += 1
    verdict.n_requests += len(digests)
    n_missing = int(detail["n_new"]) - len(digests)
    days = (row.last_occurred_at.date() - row.first_occurred_at.date()).days + 1
    n_retired = sum(retired.get(row.first_occurred_at.date() + timedelta(days=n), 0) for n in range(days))
    if 0 < n_missing <= n_retired:
        verdict.n_retired += n_missing  # what is left cannot give the root; its digests are checked one by one
    elif n_missing:
        verdict.problems.append(f"batch {batch_id}: {detail['n_new']} requests were loaded, {len(digests)} are there")
    elif (root := root_of(digests)) is None or root.hex() != detail["root"]:
        verdict.problems.append(f"batch {batch_id}: its requests are not those that were loaded")
    verdict.problems += _altered(batch_id, requests or ())


def _altered(batch_id: int, requests: Sequence[Any]) -> Iterator[str]:
    for request in requests:
        if request.content is None:
            yield f"batch {batch_id}: the content of request {request.request_id} is gone"
        elif digest_of_row(request, bytes(request.content)) != bytes(request.digest):
            yield f"batch {batch_id}: request {request.request_id} was altered"
