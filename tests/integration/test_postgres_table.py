"""Another team's table is read once, in order of its key, and only where it was mapped."""

from __future__ import annotations

import json

import psycopg2
import pytest

from llmmon.errors import BadRowError, SourceUnavailableError
from llmmon.sources.postgres_table import PostgresTable

COLUMNS = {
    "request_id": "id",
    "occurred_at": "created at",
    "model": "model",
    "prompt": "question",
    "response_text": "answer",
    "tags": "extra",
}


@pytest.fixture
def gateway(make_database, monkeypatch):
    """Return a function that runs SQL in another team's database, with names that need quotes."""
    url = make_database(None)
    monkeypatch.setenv("GATEWAY_URL", url)

    def run(query, *parameters):
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
        connection.close()

    run('CREATE TABLE "Chat; log" (id int PRIMARY KEY, "created at" timestamptz, model text, question text, '
        "answer text, extra jsonb, secret text)")  # fmt: skip
    return run


def add(gateway, *ids, answer="No."):
    """Insert rows with these ids."""
    row = """INSERT INTO "Chat; log" VALUES (%s, '2023-06-27 07:00:01+02', 'gpt-4', 'Is it?', %s, '{"a": 1}', 'key')"""
    for number in ids:
        gateway(row, number, answer)


def table(**changes):
    """Return the source under test."""
    settings = {"table": "Chat; log", "key": "id", "columns": COLUMNS, "url_env": "GATEWAY_URL", **changes}
    return PostgresTable(**settings)


def read(source, position=None, *, max_rows=100):
    """Return the ids behind `position`, the rows and the new position."""
    rows = []
    for batch in source.read(position, max_rows=max_rows):
        rows += batch.rows
        position = json.loads(json.dumps(batch.position))
    return [json.loads(row.raw)["request_id"] for row in rows], rows, position


def test_a_row_becomes_a_request_log(gateway):
    """Mapped columns arrive in UTC, and columns that were not mapped never leave the table."""
    add(gateway, 1)
    source = table()
    _, (row,), _ = read(source)
    found = source.parse(row, source="gateway")
    assert (found.request_id, found.model, found.prompt, found.response_text) == ("1", "gpt-4", "Is it?", "No.")
    assert found.occurred_at.isoformat() == "2023-06-27T05:00:01+00:00"
    assert found.tags == {"a": "1"}
    assert b"secret" not in row.raw
    assert row.file == "Chat; log"


def test_reading_goes_on_behind_the_last_key(gateway):
    """Each row comes once, in batches of any size."""
    source = table()
    add(gateway, *range(1, 8))
    found, rows, position = read(source, max_rows=3)
    assert found == [1, 2, 3, 4, 5, 6, 7]
    assert [row.offset for row in rows] == list(range(7))
    assert read(source, position)[0] == []
    add(gateway, 8)
    assert read(source, position)[0] == [8]


def test_a_row_that_is_committed_late_is_found(gateway):
    """A key below the last one seen is read while it lies within the overlap."""
    source = table(overlap=3)
    add(gateway, 1, 2, 4, 6, 8)
    _, _, position = read(source)
    add(gateway, 5)
    found, _, position = read(source, position)
    assert found == [5]
    add(gateway, 3)
    assert read(source, position)[0] == []


def test_a_row_without_a_model_is_refused(gateway):
    """A row that cannot be a request log says which column is missing."""
    gateway("""INSERT INTO "Chat; log" VALUES (1, now(), NULL, 'q', 'a', NULL, NULL)""")
    source = table()
    _, (row,), _ = read(source)
    with pytest.raises(BadRowError, match="model: missing"):
        source.parse(row, source="gateway")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"table": "nowhere"}, 'relation "nowhere" does not exist.*its user may SELECT'),
        ({"key": "serial"}, 'column "serial" does not exist'),
        ({"url_env": "NOT_SET"}, "environment variable NOT_SET is not set; set it to postgresql://"),
    ],
)
def test_a_table_that_cannot_be_read_is_named_with_the_next_step(gateway, changes, words):
    """A wrong table, key or variable says what is wrong and what to check."""
    with pytest.raises(SourceUnavailableError, match=words):
        read(table(**changes))


def test_a_server_that_does_not_answer_is_named_without_its_password(monkeypatch):
    """The error names the variable and hides what it holds."""
    monkeypatch.setenv("GATEWAY_URL", "postgresql://someone:secret@127.0.0.1:1/gateway")
    with pytest.raises(SourceUnavailableError, match="the URL in GATEWAY_URL") as caught:
        read(table())
    assert "secret" not in str(caught.value)


def test_a_mapping_without_what_every_request_needs_is_refused():
    """The error names the fields one of which must be mapped."""
    columns = {name: column for name, column in COLUMNS.items() if name != "prompt"}
    with pytest.raises(ValueError, match="expected a column for messages or prompt"):
        table(columns=columns)
