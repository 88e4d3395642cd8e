"""Rows 7 to 12 and 14 of docs/reliability.md: logs that grow, rotate, are replaced, and hold what they should not."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import time
from datetime import UTC, datetime

from llmmon.errors import GateError
from tests.conftest import as_bytes, make_line
from tests.faults.site import Site
from tests.faults.traffic import BAD
from tests.faults.wire import POINTS, Link, Point

LONGEST_LINE = 16 * 2**20


def write_in_pieces(site: Site, dice: random.Random, n: int) -> None:
    """Write rows as a process does that flushes whenever it likes: most pieces end within a line."""
    data = b"".join(site.traffic.rows(n))
    cuts = sorted(dice.randrange(len(data)) for _ in range(8))
    for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        site.traffic.write(data[begin:end])
        time.sleep(dice.uniform(0, 0.02))


def test_row_07_the_file_grows_under_loaders_that_are_killed(site: Site, dice: random.Random) -> None:
    """A last line that is not finished waits for its end; no line is read twice or by half."""
    n_killed = 0
    for _ in range(6):
        process = site.start()
        write_in_pieces(site, dice, 60)
        process.join(dice.uniform(0, 0.3))
        process.kill()
        n_killed += site.finish(process) < 0
    assert n_killed
    site.assert_whole()


def test_row_08_logs_are_rotated_by_renaming_under_loaders_that_are_killed(site: Site, dice: random.Random) -> None:
    """A file is known under its new name, so what was not read of it is read."""
    live = site.traffic.path
    for number in range(1, 6):
        site.traffic.append(60)
        site.kill_at(Point("nothing"), occurrence=dice.randrange(130))
        process = site.start()
        live.rename(live.with_name(f"app.jsonl.{number}"))
        site.traffic.start_file(live)
        site.traffic.append(20)
        site.finish(process)
    site.assert_whole()
    assert {str(row[0]).rsplit(".", 1)[-1] for row in site.rows("SELECT file FROM llmmon.quarantine")} > {"jsonl"}


def test_row_08_a_file_is_replaced_while_it_is_read(site: Site) -> None:
    """The loader reads the file that it has opened to its end; the new one is read from its beginning."""
    live = site.traffic.path
    site.traffic.append(60)

    def replace(link: Link) -> bool:
        fresh = live.with_name("fresh")
        site.traffic.start_file(fresh)
        site.traffic.append(40)
        fresh.replace(live)
        site.traffic.start_file(live)
        return True

    assert site.strike(POINTS["before COPY of facts"], replace) == (True, 0)
    site.assert_whole()


def test_row_08_a_file_is_cut_to_nothing_and_written_again(site: Site) -> None:
    """What was read before stays, and the new content is read from its beginning, whichever of the two is longer."""
    for n in (60, 20, 90):
        site.traffic.append(n)
        site.drain()
        site.traffic.path.write_bytes(b"")
        site.traffic.start_file(site.traffic.path)
    site.traffic.append(30)
    site.assert_whole()


def test_row_09_every_kind_of_broken_row_is_kept_with_its_place(site: Site) -> None:
    """Each goes to quarantine byte for byte, with good neighbours loaded, also when the loader dies on the way."""
    for raw in BAD:
        site.traffic.append_bad(raw)
        site.traffic.append(2)
    assert site.kill_at(POINTS["within COPY of bad rows"])
    site.assert_whole()
    assert site.rows("SELECT count(*) FROM llmmon.quarantine WHERE code = '' OR reason = ''") == [(0,)]


def test_row_10_a_huge_row_is_loaded_whole_or_kept_by_its_beginning(site: Site) -> None:
    """Three million characters are stored as they are; of a line over 16 MiB the digest and the size are kept."""
    answer = "ab" * 1_500_000
    large = make_line(0, id="large")
    large["response"]["choices"][0]["message"]["content"] = answer
    too_large = as_bytes(make_line(1, id="too-large")).replace(b"prime", b"p" * LONGEST_LINE)
    site.traffic.write(as_bytes(json.dumps(large)) + b"\n" + too_large + b"\n")
    assert site.kill_at(POINTS["within COPY of texts"])
    site.drain()
    assert site.rows("SELECT request_id, response_characters FROM llmmon.request_log") == [("large", len(answer))]
    ((code, reason),) = site.rows("SELECT code, reason FROM llmmon.quarantine")
    assert code == "line_too_long"
    assert f"{len(too_large)} bytes" in str(reason)
    assert hashlib.sha256(too_large).hexdigest() in str(reason)
    site.assert_consistent()


def test_row_11_a_batch_with_too_many_broken_rows_is_held_once_and_nothing_of_it_is_lost(site: Site) -> None:
    """It waits whole, also when the loader is killed over it; what comes after is loaded; a person lets it in."""
    generous = site.config.read_text()
    site.traffic.append(50)
    site.drain()
    for raw in BAD:
        site.traffic.append_bad(raw)
    site.traffic.append(60)
    site.configure(generous.replace("max_bad_fraction = 1.0", "max_bad_fraction = 0.01"))
    assert site.kill_at(POINTS["before the audit event"])
    assert site.finish(site.start()) == GateError.exit_code, site.told()
    assert site.finish(site.start()) == 0, site.told()
    held = site.rows("SELECT batch_id, n_in FROM llmmon.ingest_batch WHERE state = 'held' ORDER BY batch_id")
    assert held
    assert site.rows("SELECT batch_id, count(*) FROM llmmon.held_row GROUP BY batch_id ORDER BY batch_id") == held
    assert site.rows("SELECT count(*) FROM audit.trail WHERE event = 'batch.held'") == [(len(held),)]
    site.assert_consistent()
    for batch_id, _ in held:
        released = site.start("batch", "release", str(batch_id), "--because", "a broken proxy, agreed")
        assert site.finish(released) == 0, site.told()
    site.configure(generous)
    site.assert_whole()
    assert site.rows("SELECT count(*) FROM llmmon.held_row") == [(0,)]


def test_row_12_what_is_delivered_twice_is_counted_and_not_stored(site: Site) -> None:
    """The same lines again in another, packed file, by a loader that is killed: duplicates, every one of them."""
    site.traffic.append(100)
    site.drain()
    n_bad = site.traffic.bad.total()
    packed = site.traffic.path.with_name("app.jsonl.gz")
    packed.write_bytes(gzip.compress(site.traffic.path.read_bytes()))
    assert site.kill_at(POINTS["while COMMIT runs"], occurrence=1)
    site.drain()
    sums = "SELECT sum(n_in), sum(n_new), sum(n_in - n_new - n_dup - n_bad), sum(n_bad) FROM llmmon.ingest_batch"
    assert site.rows(sums) == [(200, len(site.traffic.ids), 0, 2 * n_bad)]
    site.assert_consistent()


def test_row_14_clocks_are_kept_as_they_were_told(site: Site) -> None:
    """Event time is the log's, whatever the zone; a time that is none is quarantined; record time is the database's."""
    told = {
        "2023-10-29T02:30:00+02:00": datetime(2023, 10, 29, 0, 30, tzinfo=UTC),
        "2023-10-29T02:30:00+01:00": datetime(2023, 10, 29, 1, 30, tzinfo=UTC),
        "2023-06-27T05:00:00": datetime(2023, 6, 27, 5, tzinfo=UTC),
        "2000-01-01T00:00:00Z": datetime(2000, 1, 1, tzinfo=UTC),
        "2100-12-31T23:59:59.999999Z": datetime(2100, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    }
    none = ["2016-12-31T23:59:60Z", "0000-01-01T00:00:00Z", "1999-12-31T23:59:59Z", 9_404_000_000_000, "yesterday"]
    for index, moment in enumerate([*told, *none]):
        site.traffic.write(as_bytes(make_line(0, id=str(index), timestamp=moment)) + b"\n")
    assert site.kill_at(POINTS["before COMMIT"])
    site.drain()
    assert site.rows("SELECT occurred_at FROM llmmon.request_log ORDER BY request_id") == [
        (at,) for at in told.values()
    ]
    assert site.rows("SELECT count(*) FROM llmmon.quarantine") == [(len(none),)]
    age = "SELECT clock_timestamp() - loaded_at < '5 min' AND loaded_at <= clock_timestamp() FROM llmmon.ingest_batch"
    assert site.rows(age) == [(True,)]
    site.assert_consistent()
