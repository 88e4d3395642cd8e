"""A batch beside earlier ones: an hour too empty or too full, a log that is read again, a field that has gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from llmmon.errors import ConfigError
from llmmon.pipeline.decide_batch import discard_batch, release_batch
from llmmon.pipeline.ingest import ingest_source

TOML = """
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl*"}
max_rows_per_batch = %d
gate = {unusual_volume = "%s", missing_fields = "%s", max_null_fraction = {}}
[deployments.assistant]
source = "logs"
"""
HOUR = timedelta(hours=1)
NOON = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
GATE = """
    SELECT checked_rows, passed, severity, says FROM compliance.gate_results
     WHERE batch_id = (SELECT max(batch_id) FROM llmmon.ingest_batch) AND passed IS NOT true ORDER BY 1, 2
"""


def rows(database, query):
    """Run a query of the test's own."""
    with database.transaction() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query).all()]


@pytest.fixture
def hour(line):
    """Return a factory: so many lines within an hour, named after it."""

    def make(start, n, **changes):
        step = HOUR / (n + 1)
        return [
            line(0, id=f"{start.isoformat()}-{index}", timestamp=(start + step * index).isoformat(), **changes)
            for index in range(n)
        ]

    return make


@pytest.fixture
def month(database, config, jsonl, hour):
    """Load nine days with 40 requests in the same hour of each."""
    jsonl([line for day in range(9, 0, -1) for line in hour(NOON - timedelta(days=day), 40)], name="0.jsonl")
    settings = config(TOML % (500, "hold", "hold"))
    assert ingest_source(database, settings, "logs").n_new == 360
    return settings


def test_the_first_batch_cannot_be_judged_and_says_so(database, month):
    """Without earlier hours and batches both parts are null, with the reason."""
    assert rows(database, GATE) == [
        ("fields", None, None, "not judged: no earlier batch of this source is known"),
        ("names", None, None, "not judged: no earlier batch of this source is known"),
        ("volume", None, None, "not judged: 7 of 9 hours: 0 earlier hours are known, 7 are needed"),
    ]
    counted = "SELECT count(*), sum(n_requests)::int FROM llmmon.source_hour"
    assert rows(database, counted) == [(9, 360)]


def test_an_hour_beyond_the_usual_is_held_and_named(database, month, jsonl, hour):
    """Too few requests of an hour that is over, and too many; a usual hour is loaded."""
    when = f"{NOON:%H:%M} UTC on {NOON.day} {NOON:%B %Y}"
    for batch_id, n in ((2, 3), (3, 89)):
        jsonl(hour(NOON, n), name=f"{batch_id}.jsonl")
        assert ingest_source(database, month, "logs").n_held == n
        words = f"{n} requests in the hour from {when}, 18 to 88 are usual (9 earlier hours)"
        assert rows(database, GATE) == [("volume", False, "critical", words)]
        discard_batch(database, month, batch_id, because="a test", by=None)
        with database.transaction() as connection:  # as if it had not been: its hour would not be judged again
            connection.exec_driver_sql(
                "UPDATE llmmon.ingest_batch SET first_occurred_at = NULL WHERE state = 'discarded'"
            )
    jsonl(hour(NOON, 41), name="4.jsonl")
    assert ingest_source(database, month, "logs").n_new == 41
    assert rows(database, GATE) == []


def test_an_hour_in_two_batches_is_judged_as_one(database, month, config, jsonl, hour):
    """The first batch ends within the hour and is not called short; the second completes it."""
    settings = config(TOML % (30, "hold", "hold"))
    jsonl(hour(NOON, 40), name="1.jsonl")
    result = ingest_source(database, settings, "logs")
    assert (result.n_batches, result.n_new, result.n_held) == (2, 40, 0)


def test_a_log_that_is_read_again_is_no_flood(database, month, jsonl, hour):
    """Known requests do not count twice; new ones among them do."""
    jsonl([line for _ in range(2) for line in hour(NOON - timedelta(days=1), 80)], name="again.jsonl")
    result = ingest_source(database, month, "logs")
    assert (result.n_held, result.n_new, result.n_dup) == (0, 40, 120)


def test_an_hour_of_which_rows_are_held_is_not_called_short(database, month, jsonl, hour):
    """What is missing waits for a person; released, it counts as usual again."""
    jsonl([*hour(NOON, 37), "broken"], name="1.jsonl")
    assert ingest_source(database, month, "logs").n_held == 38
    jsonl(hour(NOON + HOUR / 2, 1), name="2.jsonl")
    assert ingest_source(database, month, "logs").n_new == 1
    assert rows(database, GATE)[0][3] == "not judged: 1 of 1 hours: rows of this hour are held or discarded"
    release_batch(database, month, 2, because="one torn line", by=None)
    counted = rows(database, "SELECT n_requests FROM llmmon.source_hour ORDER BY hour DESC LIMIT 1")
    assert counted == [(38,)]


def test_a_field_that_has_gone_is_named_once_enough_rows_lack_it(database, month, jsonl, hour):
    """All earlier requests had a latency: two without it may be chance, 40 are not."""
    later = NOON + HOUR
    jsonl(hour(later, 2, latency_ms=None), name="1.jsonl")
    assert ingest_source(database, month, "logs").n_new == 2
    jsonl(hour(later, 40, latency_ms=None), name="2.jsonl")
    assert ingest_source(database, month, "logs").n_held == 40
    assert ("fields", False, "critical", "no request has latency_ms, which earlier batches had") in rows(database, GATE)


def test_a_field_of_the_log_that_was_never_there_is_named(database, month, jsonl, hour):
    """So a renamed field is seen from both sides; what cannot be a name is not repeated."""
    renamed = hour(NOON, 40, latency=1, **{"mira@example.com asked": 1})
    for line in renamed:
        del line["latency_ms"]
    jsonl(renamed, name="1.jsonl")
    assert ingest_source(database, month, "logs").n_held == 40
    assert rows(database, GATE) == [
        ("fields", False, "critical", "no request has latency_ms, which earlier batches had"),
        ("names", False, "warning", "fields of the log that no earlier batch had: latency"),
    ]


def test_rows_of_the_future_are_a_warning(database, config, jsonl, line, caplog):
    """Clocks that differ are told; nothing is held."""
    ahead = (datetime.now(UTC) + HOUR).isoformat()
    jsonl([line(0), line(1, timestamp=ahead)])
    assert ingest_source(database, config(), "logs").n_new == 2
    told = "50% of its requests lie more than 5 minutes in the future: clocks differ"
    assert told in caplog.text
    assert ("requests", False, "warning", told) in rows(database, GATE)


def test_the_words_for_a_judgement_are_checked(config):
    """Off, warn or hold."""
    with pytest.raises(ConfigError, match=r"gate.unusual_volume: Input should be 'off', 'warn' or 'hold'"):
        config(TOML % (10, "stop", "warn"))
