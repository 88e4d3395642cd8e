"""The audit ledger: appending beside a locked hash chain and plain INSERT, sealing, and verifying."""

from __future__ import annotations

import logging
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import psycopg2

from benchmarks.result import Result, Row, best_seconds
from llmmon.audit.event import body
from llmmon.audit.offline_verifier import check_trail
from llmmon.pipeline.seal import seal
from llmmon.store import ledger
from llmmon.store.database import Database
from llmmon.store.migrate import upgrade
from llmmon.store.scratch import scratch_server

SUMMARY = (
    "audit events a second of 8 writers: the ledger, a locked hash chain, plain INSERT; sealing; verifying a million"
)

_BODY = body("batch.loaded", "source logs", {f"n_{n}": n * 1000 for n in range(14)}, config_digest="0" * 64)
_PEERS = """
CREATE TABLE plain (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                    body text NOT NULL CHECK (body::jsonb IS NOT NULL));
CREATE TABLE chain (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                    body text NOT NULL CHECK (body::jsonb IS NOT NULL), parent bytea, hash bytea NOT NULL);
"""
# what audit tables in Postgres usually do: each row carries the hash of the one before, one writer at a time
_CHAIN = """
SELECT pg_advisory_xact_lock(1);
INSERT INTO chain (body, parent, hash)
SELECT %(body)s, last.hash, sha256(coalesce(last.hash, ''::bytea) || convert_to(%(body)s, 'UTF8'))
  FROM (SELECT 1) one LEFT JOIN (SELECT hash FROM chain ORDER BY id DESC LIMIT 1) last ON true
"""
_STATEMENTS = {
    "plain INSERT": "INSERT INTO plain (body) VALUES (%(body)s)",
    "hash chain under a lock": _CHAIN,
    "llmmon ledger": "INSERT INTO audit.event (body) VALUES (%(body)s)",
}
_LOAD = "INSERT INTO loaded SELECT n, sha256(int8send(n)) FROM generate_series(1, 1000) AS n"


def run(seconds: int = 6, rounds: int = 3, writers: int = 8, entries: int = 1_000_000) -> Result:
    """Append, load, seal and verify.

    Parameters
    ----------
    seconds : int
        Length of each run of the writers.
    rounds : int
        Runs of each way, in turn; the best counts.
    writers : int
        Connections at the same time.
    entries : int
        Events that are sealed and verified; the cost of sealing is also told at a hundredth of them.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with scratch_server(fsync="on", synchronous_commit="on") as url:
        upgrade(url)
        _execute(url, _PEERS)
        _execute(url, "CREATE TABLE loaded (n bigint, digest bytea)")
        best: dict[str, float] = {}
        for _ in range(rounds):
            for way, statement in _STATEMENTS.items():
                best[way] = max(best.get(way, 0), _rate(url, [statement], writers, seconds, is_sealed="ledger" in way))
            for way, statements in {
                "loads of 1000 rows, plain": [_LOAD],
                "loads of 1000 rows with their manifest": [_LOAD, _STATEMENTS["llmmon ledger"]],
            }.items():
                best[way] = max(best.get(way, 0), _rate(url, statements, writers, seconds, is_sealed=True))
        rows = [Row(way=way, value=value, note=_NOTES[way]) for way, value in best.items()]
        rows += _long_ledger(url, entries)
    settings = {"writers": writers, "seconds": seconds, "rounds": rounds, "entries": entries}
    return Result(unit="a second", rows=rows, reference="hash chain under a lock", settings=settings)


_NOTES = {
    "plain INSERT": "no proof of anything",
    "hash chain under a lock": "one event a transaction, one writer at a time",
    "llmmon ledger": "one event a transaction, a sealer at work once a second",
    "loads of 1000 rows, plain": "loads a second",
    "loads of 1000 rows with their manifest": "loads a second; one event each, a sealer at work",
}


def _rate(url: str, statements: list[str], writers: int, seconds: int, *, is_sealed: bool) -> float:
    """Return transactions a second of `writers` processes."""
    processes = multiprocessing.get_context("fork")
    start, done = processes.Barrier(writers + 1), processes.Array("Q", writers)

    def write(number: int) -> None:
        connection = psycopg2.connect(url)
        with connection.cursor() as cursor:
            start.wait()
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                for statement in statements:
                    cursor.execute(statement, {"body": _BODY})
                connection.commit()
                done[number] += 1
        connection.close()

    def sealing() -> None:
        database = Database(url)
        while True:
            time.sleep(1)
            seal(database)

    children = [processes.Process(target=write, args=(number,)) for number in range(writers)]
    sealer = processes.Process(target=sealing, daemon=True)
    for child in (*children, *([sealer] if is_sealed else [])):
        child.start()
    start.wait()
    for child in children:
        child.join()
    if is_sealed:
        sealer.terminate()
        sealer.join()
    return sum(done) / seconds


def _long_ledger(url: str, entries: int) -> list[Row]:
    """Fill a ledger a hundredfold, and tell what sealing and verifying cost at both sizes."""
    _execute(url, "TRUNCATE plain, chain, loaded")
    database = Database(url)
    seal(database)
    rows = []
    for size in (entries // 100, entries):
        while (there := _count(url)) < size:
            n = min(size - there, 50_000)
            _execute(url, f"INSERT INTO audit.event (body) SELECT %(body)s FROM generate_series(1, {n})")
            seal(database)
        _execute(url, "VACUUM ANALYZE audit.pending")

        def one_batch() -> None:
            _execute(url, "INSERT INTO audit.event (body) SELECT %(body)s FROM generate_series(1, 100)")
            seal(database)

        seconds = best_seconds(one_batch, rounds=20)
        rows.append(Row(way=f"100 events sealed, {size:,} there", value=100 / seconds, note=f"{seconds * 1e3:.1f} ms"))
    with database.transaction() as connection:
        heads = list(ledger.seals(connection).items())[-50:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "entries.tsv"
        with path.open("wb") as file:
            file.writelines(f"{entry.recorded_us}\t{entry.body}\n".encode() for entry in ledger.entries(database))

        def verify() -> None:
            with path.open("rb") as file:
                lines = (line[:-1].split(b"\t", 1) for line in file)
                check_trail((int(at).to_bytes(8, "big") + text for at, text in lines), heads)

        seconds = _cpu_seconds(verify)
        told = f"{seconds:.1f} s of one core for {_count(url):,} events and {len(heads)} heads"
        rows.append(Row(way="events verified offline", value=_count(url) / seconds, note=told))
        floor = _cpu_seconds(_hashing(path))
        rows.append(Row(way="lines hashed and no more", value=_count(url) / floor, note="the floor of verifying"))
    database.engine.dispose()
    return rows


def _cpu_seconds(work: Callable[[], None]) -> float:
    """Return the least processor time of two runs of `work`, which other programs on the machine do not lengthen."""
    found = []
    for _ in range(2):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def _hashing(path: Path) -> Callable[[], None]:
    def work() -> None:
        with path.open("rb") as file:
            for line in file:
                sha256(line).digest()

    return work


def _execute(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement, {"body": _BODY})
    connection.close()


def _count(url: str) -> int:
    connection = psycopg2.connect(url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit.event")
        (n,) = cursor.fetchone() or (0,)
    connection.close()
    return int(n)
