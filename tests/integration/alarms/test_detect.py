"""Detection against a real Postgres: the frontier, alerts once per episode, and the same tables in any order."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llmmon.pipeline.change_alert import change_alert
from llmmon.pipeline.detect import detect
from llmmon.store.coverage import close_stage
from llmmon.store.database import Database
from tests.integration.alarms.measured import (
    CALM,
    load_windows,
    measure_window,
    measure_windows,
    small_config,
    tables,
    window,
)

SHIFTED = [*CALM, 0.018, 0.019, 0.769, 0.78, 0.75]


def test_a_real_change_alerts_once_with_its_outbox_and_audit(database: Database, tmp_path: Path) -> None:
    """A jump from 2% to 77% opens one alert with event, deliveries and audit entry; running again adds nothing."""
    config = small_config(tmp_path)
    measure_windows(database, SHIFTED)

    first = detect(database, config, "survey")
    again = detect(database, config, "survey")

    assert (first.n_windows, first.n_new_windows, first.n_streams, first.n_alerts) == (10, 10, 1, 1)
    assert (again.n_new_windows, again.n_changed, again.n_alerts) == (0, 0, 0)
    found = tables(database)
    (alert,) = found["alert"]
    assert alert[6] == "survey: refusal rate rose from 1.7% to 76.9%"
    assert str(alert[7]).startswith(
        "survey: refusal rate rose from 1.7% to 76.9% (95% interval 75.9 to 77.9%, n = 108) in all traffic "
        "at 12:00 UTC on 27 June 2023; the chance of this if nothing had changed is below 1 in "
    )
    assert [(row[1], row[2]) for row in found["delivery"]] == [("email", "pending"), ("slack", "pending")]
    assert found["opened"] == [(1,)]
    assert found["state"][0][2] == "alarmed"
    with database.transaction() as connection:
        events = connection.exec_driver_sql("SELECT event, actor IS NOT NULL FROM llmmon.alert_event").all()
    assert [tuple(row) for row in events] == [("opened", True)]


def test_a_calm_stream_is_silent(database: Database, tmp_path: Path) -> None:
    """Small changes give no alert, even when they would be significant."""
    config = small_config(tmp_path)
    measure_windows(database, [*CALM, *[0.03] * 12])

    result = detect(database, config, "survey")

    assert result.n_alerts == 0
    assert tables(database)["state"][0][2] == "watching"


def test_windows_are_judged_only_as_far_as_none_is_missing(database: Database, tmp_path: Path) -> None:
    """A window that is not yet measured holds the frontier; one that was given up does not, and says why."""
    config = small_config(tmp_path)
    for hour, value in enumerate(SHIFTED):
        if hour != 6:
            measure_window(database, hour, {"refusal-rate": value})

    assert detect(database, config, "survey").n_windows == 6
    with database.transaction() as connection:
        close_stage(connection, "survey", window(6), "measure", [], state="expired", reason="too late")
    result = detect(database, config, "survey")

    assert (result.n_windows, result.n_alerts) == (10, 1)
    stages = [row for row in tables(database)["stage"] if row[1] == "detect"]
    assert [row[2] for row in stages] == ["done"] * 6 + ["expired"] + ["done"] * 3
    assert stages[6][3] == "too late"


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_in_which_windows_finish_changes_nothing(
    seed: int, database: Database, make_database: object, template_url: str, tmp_path: Path
) -> None:
    """Windows measured in a shuffled order, with detection after each, leave the tables of one pass at the end."""
    config = small_config(tmp_path)
    latency = [2000.0, 2100.0, 1900.0, 2050.0, 1980.0, 2010.0, 2000.0, 9000.0, None, 9100.0]
    load_windows(database, 10)
    hours = list(range(10))
    random.Random(seed).shuffle(hours)
    for hour in hours:
        measure_window(database, hour, {"refusal-rate": SHIFTED[hour], "latency": latency[hour]})
        detect(database, config, "survey")
    other = Database(make_database(template_url))  # type: ignore[operator]
    try:
        load_windows(other, 10)
        for hour in range(10):
            measure_window(other, hour, {"refusal-rate": SHIFTED[hour], "latency": latency[hour]})
        detect(other, config, "survey")
        assert tables(database) == tables(other)
        assert len(tables(other)["alert"]) == 2
    finally:
        other.engine.dispose()


def test_running_at_the_same_time_changes_nothing(database: Database, tmp_path: Path) -> None:
    """Four detections at once open one alert and leave what one leaves."""
    config = small_config(tmp_path)
    measure_windows(database, SHIFTED)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: detect(database, config, "survey"), range(4)))

    assert sum(result.n_alerts for result in results) == 1
    assert sum(result.n_new_windows for result in results) == 10
    assert len(tables(database)["alert"]) == 1


def test_a_resolved_alert_lets_the_stream_learn_again(database: Database, tmp_path: Path) -> None:
    """After somebody resolves an alert the new level is learnt; the next change opens a second alert."""
    config = small_config(tmp_path)
    measure_windows(database, SHIFTED)
    detect(database, config, "survey")
    change_alert(database, 1, "resolved", actor="mira", note=None, config_digest=config.digest)

    for hour, value in enumerate([0.76, 0.77, 0.78, 0.75, 0.76, 0.77], start=10):
        measure_window(database, hour, {"refusal-rate": value})
    assert detect(database, config, "survey").n_alerts == 0
    learnt = [row for row in tables(database)["evidence"] if row[2] == window(12).start]
    assert learnt[0][9] == "learning: reference window 3 of 5"
    assert tables(database)["state"][0][2] == "watching"

    measure_window(database, 16, {"refusal-rate": 0.01})
    assert detect(database, config, "survey").n_alerts == 1
    alerts = tables(database)["alert"]
    assert {row[5] for row in alerts} == {"resolved", "open"}
    assert "survey: refusal rate fell from 76.4% to 1.0%" in {row[6] for row in alerts}


def test_the_budget_counts_every_stream_and_says_what_was_needed(database: Database, tmp_path: Path) -> None:
    """With two streams known and one still without evidence, the threshold is 2 / 0.05."""
    config = small_config(tmp_path)
    for hour, value in enumerate([*CALM, 0.018]):
        measure_window(database, hour, {"refusal-rate": value, "latency": None})
    detect(database, config, "survey")

    last = tables(database)["budget"][-1]
    assert last[1:5] == (0.05, 2, 1, 0)
    assert last[6] == pytest.approx(40)
    state = {row[0]: row[2:6] for row in tables(database)["state"]}
    assert state["latency"] == ("learning", window(5).start, None, "no value: no requests")


def test_a_late_measurement_changes_the_evidence_and_not_the_alert(database: Database, tmp_path: Path) -> None:
    """A window measured again gives new evidence from there on; the alert that was sent stays and is not repeated."""
    config = small_config(tmp_path)
    measure_windows(database, SHIFTED)
    detect(database, config, "survey")
    before = tables(database)

    measure_window(database, 7, {"refusal-rate": 0.80})
    result = detect(database, config, "survey")

    after = tables(database)
    assert result.n_changed == 3
    assert result.n_alerts == 0
    assert after["alert"] == before["alert"]
    assert after["evidence"][:7] == before["evidence"][:7]


def test_hostile_segment_names_stay_text(database: Database, tmp_path: Path) -> None:
    """A route named by an attacker is bound, not run, and becomes one printable line of the alert."""
    config = small_config(tmp_path)
    segment = "route=x'; DROP TABLE llmmon.alert; --\r\n<script>%s{0}" + "é" * 200
    for hour, value in enumerate(SHIFTED):
        measure_window(database, hour, {"refusal-rate": value}, segment=segment)

    assert detect(database, config, "survey").n_alerts == 1
    title = str(tables(database)["alert"][0][6])
    assert "where route is x'; DROP TABLE llmmon.alert; --  <script>%s{0}" in title
    assert title.isprintable()
    assert len(title) < 200


def test_nothing_measured_is_nothing_to_judge(database: Database, tmp_path: Path) -> None:
    """A deployment without any window gives zeros and writes nothing."""
    result = detect(database, small_config(tmp_path), "survey")
    assert (result.n_windows, result.n_streams, result.n_alerts) == (0, 0, 0)
    with database.transaction() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM audit.event").scalar() == 0
