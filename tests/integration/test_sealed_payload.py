"""Texts of subjects: sealed under keys of their own, bound by digests that outlive the key."""

from __future__ import annotations

import pytest

from llmmon.audit.tree import root_of
from llmmon.errors import SealError
from llmmon.model import Scorable, Window
from llmmon.pipeline.ingest import ingest_source
from llmmon.scorers.pii import Pii
from llmmon.store.database import fetch
from llmmon.store.request_log import window_requests
from llmmon.store.stored_request import digest_of_row

WINDOW = Window.parse("2023-06-27T05:00", hours=1)
SPAN = {"deployment": "assistant", "start": WINDOW.start, "end": WINDOW.end}


@pytest.fixture
def loaded(database, config, jsonl, line):
    """Ann asks twice, Bob once, and somebody whom the log does not name once; one line cannot be read."""
    users = ["ann", "bob", "ann", None]
    jsonl([*(line(i, user=user, groups={"b": "1", "a": "2"}) for i, user in enumerate(users)), b'{"secret word'])
    result = ingest_source(database, config(), "logs")
    assert (result.n_new, result.n_bad) == (4, 1)
    return database


def digests(database):
    """Return what is stored, what can be computed from the rows, and the root of the batch."""
    with database.transaction() as connection:
        rows = connection.exec_driver_sql(
            "SELECT * FROM llmmon.request_log JOIN llmmon.request_payload USING (request_key, occurred_at)"
            " ORDER BY request_key"
        ).all()
        root = connection.exec_driver_sql("SELECT root FROM llmmon.ingest_batch").scalar_one()
    return [bytes(row.digest) for row in rows], [digest_of_row(row, bytes(row.content)) for row in rows], bytes(root)


def test_texts_of_subjects_are_sealed_and_come_back(loaded):
    """Nothing of Ann's or Bob's text is in the table; with the key everything is read as it was logged."""
    with loaded.transaction() as connection:
        contents = {
            row.request_key: (row.key_id, bytes(row.content))
            for row in connection.exec_driver_sql("SELECT * FROM llmmon.request_payload").all()
        }
        read = window_requests(connection, "assistant", WINDOW)
    assert [request.prompt for _, request in read] == [f"Is {i} a prime number?" for i in range(4)]
    key_ids = [contents[key][0] for key, _ in read]
    assert key_ids[0] == key_ids[2] != key_ids[1]
    assert key_ids[3] is None
    assert [b"prime" in contents[key][1] for key, _ in read] == [False, False, False, True]
    assert [request.user for _, request in read] == [None] * 4
    assert read[0][1].user_ref == read[2][1].user_ref != read[1][1].user_ref


def test_digests_bind_facts_and_content_and_the_batch_has_their_root(loaded):
    """An auditor computes every digest from the stored row, and the root from the digests."""
    stored, computed, root = digests(loaded)
    assert stored == computed
    assert root == root_of(stored)
    with loaded.transaction() as connection:
        detail = connection.exec_driver_sql("SELECT detail FROM audit.trail WHERE event = 'batch.loaded'").scalar_one()
    assert detail["root"] == root.hex()


@pytest.mark.parametrize("change", ["latency_ms = 1", "route = 'other'", "groups = '{}'"])
def test_a_changed_fact_no_longer_fits_its_digest(loaded, change):
    """Somebody with every right changes one row; its digest tells."""
    with loaded.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE llmmon.request_log SET {change} WHERE request_id = 'req-1'")
    stored, computed, _ = digests(loaded)
    assert [a == b for a, b in zip(stored, computed, strict=True)] == [True, False, True, True]


def test_without_its_key_a_text_is_gone_and_everything_else_verifies(loaded):
    """Destroying Ann's key takes her two texts; digests, root and the other texts stay."""
    before = digests(loaded)
    with loaded.transaction() as connection:
        ((_, first), *_) = window_requests(connection, "assistant", WINDOW)
        connection.exec_driver_sql("DELETE FROM llmmon.subject_key WHERE user_ref = %s", (first.user_ref,))
    with loaded.transaction() as connection:
        read = [request for _, request in window_requests(connection, "assistant", WINDOW)]
    assert [request.response_text is None for request in read] == [True, False, True, False]
    assert [request.messages for request in read[::2]] == [(), ()]
    assert digests(loaded) == before


def test_another_key_is_a_clear_error(loaded, monkeypatch):
    """Neither a wrong key nor a missing one gives wrong text."""
    for value in ("another key for tests, long", None):
        monkeypatch.setenv("LLMMON_PRIVACY_KEY", value) if value else monkeypatch.delenv("LLMMON_PRIVACY_KEY")
        with loaded.transaction() as connection, pytest.raises(SealError, match="LLMMON_PRIVACY_KEY"):
            window_requests(connection, "assistant", WINDOW)


def test_a_line_that_could_not_be_read_is_kept_sealed(loaded):
    """It may hold anything, so it is not stored in the clear."""
    with loaded.transaction() as connection:
        (row,) = connection.exec_driver_sql("SELECT raw, sealed FROM llmmon.quarantine").all()
    assert row.sealed
    assert b"secret" not in bytes(row.raw)


def test_a_repeated_request_is_told_from_a_changed_one(loaded, config, jsonl, line):
    """What was logged first stays; the audit event counts what differs."""
    jsonl([line(0, user="ann", groups={"b": "1", "a": "2"}), line(1, user="bob", latency_ms=1)], name="more.jsonl")
    assert ingest_source(loaded, config(), "logs").n_dup == 2
    with loaded.transaction() as connection:
        details = connection.exec_driver_sql("SELECT detail FROM audit.trail WHERE event = 'batch.loaded'").scalars()
        assert [(detail["n_dup"], detail["n_changed"]) for detail in details] == [(0, 0), (2, 1)]
        assert fetch(connection, "request_log/count", SPAN)[0].n == 4


def test_personal_data_is_replaced_before_it_is_stored(database, config, jsonl, line):
    """The store has the type and the count, the audit trail the sum; the leakage scorer counts it when told."""
    leaking = line(1)
    leaking["response"]["choices"][0]["message"]["content"] = "Write to ann@example.com or bob@example.com"
    jsonl([line(0), leaking])
    assert ingest_source(database, config(), "logs").n_new == 2
    with database.transaction() as connection:
        plain, redacted = (request for _, request in window_requests(connection, "assistant", WINDOW))
        detail = connection.exec_driver_sql("SELECT detail FROM audit.trail WHERE event = 'batch.loaded'").scalar_one()
    assert plain.redacted == {}
    assert redacted.redacted == detail["redacted"] == {"EMAIL_ADDRESS": 2}
    assert redacted.response_text == "Write to <EMAIL_ADDRESS> or <EMAIL_ADDRESS>"
    response = Scorable(
        request_key=1,
        lane="logged",
        variant="as_logged",
        repeat=0,
        messages=redacted.messages,
        documents=(),
        text=redacted.response_text,
    )
    assert Pii().score(response).value == 0
    assert Pii(count_redacted=True).score(response).value == 2
