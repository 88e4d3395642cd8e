"""Detection that goes on from where streams stood ends where one over everything in order does."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmmon.pipeline.change_alert import change_alert
from llmmon.pipeline.detect import detect
from llmmon.pipeline.judge import judge
from llmmon.pipeline.watches import watches_of
from llmmon.store import alert as alerts
from llmmon.store.database import Database
from llmmon.store.measurement import measurements_of_streams
from tests.integration.alarms.measured import CALM, measure_window, measure_windows, small_config, tables, window
from tests.integration.alarms.schedule import N_WINDOWS, detect_anew, given_up, rules, schedule


@pytest.fixture
def other(make_database: Callable[[str | None], str], template_url: str) -> Iterator[Database]:
    """Yield a second fresh migrated database."""
    opened = Database(make_database(template_url))
    yield opened
    opened.engine.dispose()


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
def test_going_on_is_the_same_as_beginning_anew(seed: int, database: Database, other: Database, tmp_path: Path) -> None:
    """Whatever happens between detections, each leaves the tables that judging everything anew leaves."""
    chance = random.Random(seed)
    for act, config in schedule(seed, tmp_path, changing=True):
        for each in (database, other):
            act(each)
        if chance.random() < 0.6:
            detect(database, config, "survey")
            detect_anew(other, config)
            assert tables(database) == tables(other)

    config = rules(tmp_path)
    detect(database, config, "survey")
    detect_anew(other, config)
    assert tables(database) == tables(other)
    assert len(tables(database)["alert"]) >= 2
    with database.transaction() as connection:
        watches = watches_of(connection, config, "survey")
        restarts = alerts.episodes(connection, "survey").learn_again_after
        keys = [
            tuple(row) for row in connection.exec_driver_sql("SELECT DISTINCT monitor, segment FROM llmmon.measurement")
        ]
        first, last = window(0).start, window(N_WINDOWS).start
        streams = measurements_of_streams(connection, "survey", dict.fromkeys(keys, first), last)
    whole = judge(
        streams,
        {name: watch.rule for name, watch in watches.items()},
        [window(hour) for hour in range(N_WINDOWS)],
        alpha=0.05,
        restarts=restarts,
    )
    evidence = {tuple(row[:3]): row[4] for row in tables(database)["evidence"]}
    assert evidence == {
        (*key, point.measurement.window.start): point.evidence.e_value
        for key, points in whole.points.items()
        for point in points
    }
    assert [row[2:] for row in tables(database)["budget"]] == [
        (item.n_streams, item.n_learning, item.n_alarmed, item.largest_e, item.threshold_e) for item in whole.spending
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_late_windows_and_gaps_end_as_one_run_in_order(
    seed: int, database: Database, other: Database, tmp_path: Path
) -> None:
    """Windows out of order, measured twice, provisional at first: the tables, alerts too, are those of one run."""
    chance = random.Random(seed)
    happened = schedule(seed, tmp_path, changing=False)
    for act, config in happened:
        act(database)
        if chance.random() < 0.6:
            detect(database, config, "survey")
    detect(database, config, "survey")
    for act, _ in happened:
        act(other)
    detect(other, config, "survey")
    assert tables(database) == tables(other)


def test_what_does_not_change_is_not_written_again(database: Database, tmp_path: Path) -> None:
    """One more window adds its rows and its line; a late window changes the rows from there on and no other."""
    config = small_config(tmp_path)
    for hour in range(30):
        measure_window(database, hour, {"refusal-rate": CALM[hour % 5], "latency": 2000.0 + hour % 3})
    detect(database, config, "survey")
    rows = versions(database)

    measure_window(database, 30, {"refusal-rate": 0.02, "latency": 2000.0})
    assert detect(database, config, "survey").n_changed == 2
    after = versions(database)
    assert {table: len(after[table] - rows[table]) for table in rows} == {
        "evidence": 2,
        "alarm_budget": 1,
        "stream_state": 2,
    }

    measure_window(database, 28, {"refusal-rate": 0.05})
    assert detect(database, config, "survey").n_changed == 3
    late = versions(database)
    assert {table: len(late[table] - after[table]) for table in rows} == {
        "evidence": 3,
        "alarm_budget": 3,
        "stream_state": 1,
    }


def test_a_late_row_of_the_last_hours_is_judged_from_the_checkpoint_before(database: Database, tmp_path: Path) -> None:
    """A window of yesterday that changed lets its stream go on from midnight, not from its first window."""
    config = small_config(tmp_path)
    measure_windows(database, [CALM[hour % 5] for hour in range(60)])
    detect(database, config, "survey")
    # what was before midnight is made unreadable for detection: its evidence would differ if it was judged again
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE llmmon.measurement SET value = 7 WHERE window_start < %s", (window(40).start,)
        )

    measure_window(database, 50, {"refusal-rate": 0.0123})
    assert detect(database, config, "survey").n_changed == 10


def test_a_stream_whose_only_window_is_given_up_is_gone(database: Database, tmp_path: Path) -> None:
    """Its evidence and its state vanish, and the budget counts one stream less from there on."""
    config = small_config(tmp_path)
    measure_windows(database, CALM)
    measure_window(database, 5, {"latency": 2000.0})
    measure_window(database, 6, {"refusal-rate": 0.02})
    detect(database, config, "survey")
    assert [row[2] for row in tables(database)["budget"]] == [1, 1, 1, 1, 1, 2, 2]

    given_up(5)(database)
    detect(database, config, "survey")
    assert [row[2] for row in tables(database)["budget"]] == [1] * 7
    assert {row[0] for row in tables(database)["state"]} == {"refusal-rate"}
    assert {row[0] for row in tables(database)["evidence"]} == {"refusal-rate"}


def test_a_resolved_alert_begins_anew_only_the_windows_after(database: Database, tmp_path: Path) -> None:
    """Resolving changes no evidence of the past; reopening takes the new episode back."""
    config = small_config(tmp_path)
    measure_windows(database, [*CALM, 0.769, 0.78])
    detect(database, config, "survey")
    change_alert(database, 1, "resolved", actor="mira", note=None, config_digest=config.digest)
    assert detect(database, config, "survey").n_changed == 0
    measure_window(database, 7, {"refusal-rate": 0.76})
    assert detect(database, config, "survey").n_changed == 1
    assert tables(database)["state"][0][5] == "learning: reference window 1 of 5"

    change_alert(database, 1, "reopened", actor="mira", note=None, config_digest=config.digest)
    assert detect(database, config, "survey").n_changed == 1
    assert tables(database)["state"][0][2] == "alarmed"
    assert tables(database)["state"][0][5] is None


def versions(database: Database) -> dict[str, set[tuple[object, ...]]]:
    """Return the physical row versions of what detection writes: an update makes another."""
    queries = {
        "evidence": "SELECT monitor, window_start, xmin::text FROM llmmon.evidence",
        "alarm_budget": "SELECT window_start, xmin::text FROM llmmon.alarm_budget",
        "stream_state": "SELECT monitor, xmin::text FROM llmmon.stream_state",
    }
    with database.transaction() as connection:
        return {
            name: {tuple(row) for row in connection.exec_driver_sql(query).all()} for name, query in queries.items()
        }
