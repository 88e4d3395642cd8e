"""Rows 5, 13 and 25 of docs/reliability.md: what is done again, comes late or goes on from a copy."""

from __future__ import annotations

from collections.abc import Callable

from llmmon.store.database import Database
from tests.conftest import as_bytes, make_line
from tests.faults.account import contents
from tests.faults.site import Site
from tests.faults.wire import POINTS

MONITORS = """
[deployments.assistant.monitors.slow]
metric = {type = "latency_quantile", quantile = 0.5}
min_effect = 100
"""
# ids and wall-clock times depend on how often something was done; these must not
RESULTS = (
    "SELECT deployment, window_start, stage, state, reason, n, probability FROM llmmon.coverage ORDER BY 1, 2, 3, 4, 5",
    "SELECT deployment, window_start, stage, state, n_requests FROM llmmon.window_stage ORDER BY 1, 2, 3",
    "SELECT monitor, segment, window_start, value, low, high, n FROM llmmon.measurement_latest ORDER BY 1, 2, 3",
)
RUN = ("run", "--window", "2023-06-27T05:00/2023-06-27T08:00")
STATES = "SELECT DISTINCT state FROM llmmon.window_stage WHERE window_start = '2023-06-27 05:00Z'"
VERSIONS = "SELECT count(*) FROM llmmon.measurement"


def results(site: Site) -> list[list[tuple[object, ...]]]:
    """Return what the stages wrote."""
    return [site.rows(query) for query in RESULTS]


def run(site: Site) -> None:
    """Take three windows through every stage."""
    assert site.finish(site.start(*RUN)) == 0, site.told()


def test_row_05_the_same_windows_again_and_at_the_same_time(site: Site) -> None:
    """A second run, and two at once, find the same requests and write the same numbers once."""
    site.configure(site.config.read_text() + MONITORS)
    site.traffic.append(150)
    run(site)
    once, n_versions = results(site), site.rows(VERSIONS)
    assert all(once)
    run(site)
    at_once = [site.start(*RUN) for _ in range(2)]
    assert [site.finish(process) for process in at_once] == [0, 0], site.told()
    assert results(site) == once
    assert site.rows(VERSIONS) == n_versions
    site.assert_whole()


def test_row_05_a_source_is_read_from_its_beginning_again(site: Site) -> None:
    """Without a cursor, as after a backfill of the whole log: every row is a duplicate, and nothing changes."""
    site.traffic.append(100)
    site.drain()
    before = contents(site.database)[: len(site.traffic.ids)]
    site.cluster.execute("UPDATE llmmon.source_cursor SET position = 'null'", database=site.name)
    assert site.kill_at(POINTS["before COMMIT"], occurrence=1)
    site.drain()
    assert contents(site.database)[: len(site.traffic.ids)] == before
    sums = "SELECT sum(n_in), sum(n_new) FROM llmmon.ingest_batch WHERE state = 'loaded'"
    assert site.rows(sums) == [(200, len(site.traffic.ids))]


def test_row_13_a_row_comes_after_its_window_was_closed(site: Site) -> None:
    """It is stored, its window is done again as a new version, and the old version stays, also over a kill."""
    site.configure(site.config.read_text() + MONITORS)
    site.traffic.write(b"".join(as_bytes(make_line(index)) + b"\n" for index in range(10)))
    run(site)
    old = site.rows("SELECT value, n FROM llmmon.measurement_latest WHERE monitor = 'slow'")
    n_versions = int(str(site.rows(VERSIONS)[0][0]))
    site.traffic.write(as_bytes(make_line(20, id="late", latency_ms=9000)) + b"\n")
    assert site.kill_at(POINTS["after COMMIT, before its answer"])
    assert site.rows(STATES) == [("dirty",)]
    run(site)
    new = site.rows("SELECT value, n FROM llmmon.measurement_latest WHERE monitor = 'slow'")
    assert (old[0][1], new[0][1]) == (10, 11)
    assert old[0][0] != new[0][0]
    assert int(str(site.rows(VERSIONS)[0][0])) > n_versions
    assert old[0] in site.rows("SELECT value, n FROM llmmon.measurement WHERE monitor = 'slow'")
    assert site.rows(STATES) == [("done",)]
    closes = "SELECT sum(n) FROM llmmon.coverage WHERE stage = 'ingest'"
    assert site.rows(closes) == site.rows("SELECT count(*) FROM llmmon.request_log")
    site.assert_consistent()


def test_row_25_loading_goes_on_in_a_restored_copy(make_site: Callable[[], Site]) -> None:
    """A dump taken between two kills, restored elsewhere: its cursor fits its rows, and the log's rest is loaded."""
    site = make_site()
    site.traffic.append(100)
    assert site.kill_at(POINTS["within COPY of facts"], occurrence=1)
    copy = site.cluster.copy_by_dump(site.name)
    site.traffic.append(100)
    site.assert_whole()
    site.name, site.database = copy, Database(site.cluster.url(copy))
    assert site.rows("SELECT sum(n_in) FROM llmmon.ingest_batch") == [(25,)]
    site.assert_whole()
