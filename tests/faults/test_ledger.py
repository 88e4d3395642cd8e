"""Rows 24 to 26 of docs/reliability.md: the sealed ledger, when what seals it is killed, set back or deprived."""

from __future__ import annotations

import random
import signal
import time
from datetime import UTC, datetime

from llmmon.audit.checkpoint import SigningKey
from llmmon.config import load_config
from llmmon.errors import StoreUnavailableError
from llmmon.pipeline.maintain import maintain
from llmmon.pipeline.seal import seal
from llmmon.pipeline.verify_ledger import Verdict, verify_ledger
from llmmon.store import ledger
from llmmon.store.database import Database
from tests.faults.site import Site

KEY = SigningKey.generate("example.com/llmmon")
N_SEALERS, N_KILLS = 3, 12


def signed_head(database: Database) -> dict[str, str]:
    """Return the newest head, signed as the anchorer does."""
    with database.transaction() as connection:
        size, root = ledger.last_seal(connection)
    return {f"head of {size}": KEY.checkpoint(size, root)}


def verify(database: Database, heads: dict[str, str]) -> Verdict:
    """Check the whole store against heads."""
    return verify_ledger(database, heads, KEY.public, depth="requests")


def test_row_24_sealers_at_once_that_are_killed_make_one_tree(site: Site, dice: random.Random) -> None:
    """Three sealers beside loaders, killed at random moments with kill -9, one time the server with them."""
    sealers = [site.start("audit", "seal", "--every", "0.1") for _ in range(N_SEALERS)]
    for kill in range(N_KILLS):
        site.traffic.append(60)
        loading = site.start()
        time.sleep(dice.uniform(0, 0.5))
        if kill == N_KILLS // 2:
            site.cluster.kill()
            site.cluster.start()
            assert site.finish(loading) in (0, StoreUnavailableError.exit_code), site.told()
        else:
            victim = dice.randrange(N_SEALERS)
            sealers[victim].kill()  # or it ended by itself: the server went while it started
            assert site.finish(sealers[victim]) in (-signal.SIGKILL, StoreUnavailableError.exit_code), site.told()
            sealers[victim] = site.start("audit", "seal", "--every", "0.1")
            assert site.finish(loading) == 0, site.told()
    for sealer in sealers:
        sealer.kill()
        site.finish(sealer)
    site.assert_whole()
    seal(site.database)
    (n_events,) = site.rows("SELECT count(*) FROM audit.event")[0]
    verdict = verify(site.database, signed_head(site.database))
    assert (verdict.n_events, verdict.problems, verdict.doubts) == (n_events, [], [])
    assert verdict.n_requests == len(site.traffic.ids)


def test_row_25_an_older_copy_goes_on_and_does_not_pass_for_the_store(site: Site) -> None:
    """Sealing goes on in a copy; the copy that is older than a head is found, whatever it sealed since."""
    site.traffic.append(60)
    site.drain()
    seal(site.database)
    copy = Database(site.cluster.url(site.cluster.copy_by_dump(site.name)))
    assert verify(copy, signed_head(site.database)).holds
    site.traffic.append(60)
    site.drain()
    seal(site.database)
    head = signed_head(site.database)
    assert verify(site.database, head).holds
    with copy.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO audit.event (body) SELECT body FROM audit.event")
    assert seal(copy)
    assert verify(copy, {}).holds
    assert verify(copy, head).problems
    copy.engine.dispose()


def test_row_26_a_day_that_went_without_an_entry_is_found(site: Site) -> None:
    """Dropped or detached by hand, its batches are named; removed by retention, they are told as removed."""
    site.traffic.append(120)
    site.drain()
    seal(site.database)
    copies = [Database(site.cluster.url(site.cluster.copy_by_dump(site.name)))]
    (partition,) = site.rows(
        "SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'llmmon.request_log'::regclass"
    )[0]
    for database, statement in (
        (copies[0], f"DROP TABLE {partition}"),
        (site.database, f"ALTER TABLE llmmon.request_log DETACH PARTITION {partition}"),
    ):
        assert verify(database, {}).holds
        with database.transaction() as connection:
            connection.exec_driver_sql(statement)
        assert all("requests were loaded" in problem for problem in verify(database, {}).problems)
        assert verify(database, {}).problems
    site.cluster.execute(f"DROP TABLE {partition}", database=site.name)
    copies[0].engine.dispose()


def test_row_26_retention_that_leaves_its_entry_passes(site: Site) -> None:
    """What is past its age goes with an event; the ledger holds and tells how much went."""
    site.traffic.append(120)
    site.drain()
    result = maintain(site.database, load_config(site.config), now=datetime(2040, 1, 1, tzinfo=UTC))
    seal(site.database)
    verdict = verify(site.database, {})
    assert (verdict.problems, verdict.n_retired) == ([], result.n_requests_removed)
    assert result.n_requests_removed == len(site.traffic.ids)
