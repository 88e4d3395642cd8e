"""Exporting and erasing a subject, tried with the logins that do it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.engine import make_url

from llmmon.audit.tree import root_of
from llmmon.config import PrivacyConfig
from llmmon.errors import StoreError, UnknownSubjectError
from llmmon.pipeline.erase_subject import erase_subject
from llmmon.pipeline.ingest import ingest_source
from llmmon.pipeline.retry_quarantine import retry_quarantine
from llmmon.privacy.keys import master_key
from llmmon.privacy.redaction import Redactor
from llmmon.store.database import Database
from llmmon.store.quarantine import rows_of_subject
from llmmon.store.request_log import window_requests
from llmmon.store.roles import create_login
from llmmon.store.stored_request import digest_of_row
from llmmon.store.subject import sealing_keys, subject_requests
from tests.conftest import PRIVACY_KEY
from tests.integration.erasure.conftest import LOGS, WINDOW


def proof(database):
    """Return what can be verified after an erasure: each row's digest against itself, and the root of the batch."""
    with database.transaction() as connection:
        rows = connection.exec_driver_sql(
            "SELECT * FROM llmmon.request_log JOIN llmmon.request_payload USING (request_key, occurred_at)"
            " WHERE batch_id = 1 ORDER BY request_key"
        ).all()
        root = connection.exec_driver_sql("SELECT root FROM llmmon.ingest_batch WHERE batch_id = 1").scalar_one()
    digests = [bytes(row.digest) for row in rows]
    assert digests == [digest_of_row(row, bytes(row.content)) for row in rows]
    assert bytes(root) == root_of(digests)
    return digests


def views(database):
    with database.transaction() as connection:
        return connection.exec_driver_sql("SELECT * FROM compliance.erasure_proof ORDER BY erasure_id").all()


def test_erasing_takes_every_text_and_no_proof(judged, eraser, settings):
    """Ann's two requests, with their replays and judgements, cannot be read; the batch verifies as before."""
    before = proof(judged)
    ann = master_key().pseudonym("ann")
    done = erase_subject(eraser, settings, ann, because="she asked", by="mira")
    assert (done.n_requests, done.n_responses, done.n_scores, done.n_quarantined) == (2, 2, 4, 0)
    assert proof(judged) == before
    with judged.transaction() as connection:
        texts = [request.response_text for _, request in window_requests(connection, "assistant", WINDOW)]
        told = connection.exec_driver_sql("SELECT * FROM audit.trail WHERE event = 'subject.erased'").one()
        exported = list(subject_requests(connection, ann))
    assert texts == [None, "answer secret 1", None, "answer secret 3"]
    assert (told.actor, told.subject, told.detail["because"]) == ("mira", f"subject {ann}", "she asked")
    assert "secret" not in json.dumps(exported, default=str)
    (row,) = views(judged)
    assert (row.user_ref, row.erased_by, row.because, row.key_is_gone) == (ann, "mira", "she asked", True)
    assert (row.n_requests, row.n_texts_still_stored, row.n_texts_readable) == (2, 2, 0)
    assert (row.n_digests, row.n_batches, row.n_roots) == (2, 1, 1)
    assert (row.returned_at, row.audit_event_id) == (None, told.event_id)
    with pytest.raises(UnknownSubjectError, match="erased already, at"):
        erase_subject(eraser, settings, ann, because="again")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT wrapped_key FROM llmmon.subject_key",
        "SELECT content FROM llmmon.request_payload",
        "SELECT raw FROM llmmon.quarantine",
        "SELECT * FROM llmmon.request_log",
        "UPDATE llmmon.subject_key SET user_ref = 'x'",
        "DELETE FROM llmmon.subject_erasure",
        "DELETE FROM llmmon.request_payload",
        "SELECT * FROM audit.event",
    ],
)
def test_the_eraser_reads_no_text_and_changes_nothing_else(eraser, statement):
    """Least privilege, tried with a real login."""
    with pytest.raises(StoreError, match="permission denied"), eraser.transaction() as connection:
        connection.exec_driver_sql(statement)


def test_the_pipeline_cannot_erase(judged, settings):
    """The writer, whose password the tasks have, is told which role it takes."""
    with judged.transaction() as connection:
        create_login(connection, "test_eraser_writer", "pass", member_of="llmmon_writer")
    url = make_url(judged.url).set(username="test_eraser_writer", password="pass")
    writer = Database(url.render_as_string(hide_password=False))
    with pytest.raises(StoreError, match="llmmon_eraser to erase"):
        erase_subject(writer, settings, master_key().pseudonym("ann"), because="she asked")
    writer.engine.dispose()


def test_who_was_erased_does_not_come_back_with_an_old_log(judged, eraser, settings, jsonl, line):
    """Loaded again the old lines are known; a late line of before loses its texts; a new visit has a new key."""
    erase_subject(eraser, settings, master_key().pseudonym("ann"), because="she asked")
    later = datetime.now(UTC) + timedelta(hours=1)
    jsonl(
        [line(0, user="ann"), line(10, user="ann"), line(11, user="ann", timestamp=later.isoformat())], name="b.jsonl"
    )
    result = ingest_source(judged, settings, "logs")
    assert (result.n_new, result.n_dup) == (2, 1)
    with judged.transaction() as connection:
        stored = connection.exec_driver_sql(
            "SELECT key_id, content FROM llmmon.request_payload WHERE request_key > 4 ORDER BY request_key"
        ).all()
        detail = connection.exec_driver_sql(
            "SELECT detail FROM audit.trail WHERE event = 'batch.loaded' ORDER BY event_id DESC LIMIT 1"
        ).scalar_one()
        again = [
            request["request_id"]
            for request in subject_requests(connection, master_key().pseudonym("ann"))
            if "messages" in request
        ]
    assert [(row.key_id, bool(row.content)) for row in stored] == [(1, False), (3, True)]
    assert (detail["n_of_erased"], detail["n_changed"]) == (1, 0)
    assert again == ["req-11"]
    (row,) = views(judged)
    assert (row.n_texts_readable, row.n_texts_still_stored, row.returned_at is None) == (0, 3, False)
    assert erase_subject(eraser, settings, master_key().pseudonym("ann"), because="again").n_requests == 1


def test_an_erasure_waits_for_loaders_that_are_under_way(judged, eraser, settings):
    """Else a loader that looked before the erasure could make the subject a new key for old texts."""
    ann = master_key().pseudonym("ann")
    with ThreadPoolExecutor(1) as pool:
        with judged.transaction() as loader:
            sealing_keys(loader, [request for _, request in window_requests(loader, "assistant", WINDOW)])
            erasing = pool.submit(erase_subject, eraser, settings, ann, because="she asked")
            with pytest.raises(TimeoutError):
                erasing.result(timeout=0.5)
        assert erasing.result(timeout=20).n_requests == 2


def test_a_quarantined_row_whose_user_is_known_goes_too(database, settings, jsonl, line, monkeypatch):
    """Ann's row could be read and not be redacted; a row that cannot be read at all is nobody's, and stays sealed."""
    monkeypatch.setattr(Redactor, "_find", lambda self, text: 1 / 0)
    redacting = settings.model_copy(update={"privacy": PrivacyConfig(redact=("EMAIL_ADDRESS",))})
    jsonl([line(0, user="ann"), b"{not json"])
    assert ingest_source(database, redacting, "logs").n_bad == 2
    ann = master_key().pseudonym("ann")
    with database.transaction() as connection:
        (kept,) = rows_of_subject(connection, ann)
    assert json.loads(kept["raw"])["id"] == "req-0"
    done = erase_subject(database, settings, ann, because="she asked")
    assert (done.n_quarantined, done.key_id) == (1, None)
    with database.transaction() as connection:
        assert rows_of_subject(connection, ann) == []
    with database.transaction() as connection:
        assert connection.exec_driver_sql("SELECT code, sealed FROM llmmon.quarantine").all() == [
            ("malformed_json", True)
        ]
    monkeypatch.undo()
    monkeypatch.setenv("LLMMON_PRIVACY_KEY", PRIVACY_KEY)
    jsonl([line(1, user="ann")], name="late.jsonl")
    assert ingest_source(database, settings, "logs").n_new == 1
    with database.transaction() as connection:
        assert bytes(connection.exec_driver_sql("SELECT content FROM llmmon.request_payload").scalar_one()) == b""


def test_a_row_that_could_be_read_later_goes_too(database, config, settings, jsonl, line):
    """It stays in quarantine, marked as loaded; from then on it is known whose it is."""
    renamed = {key if key != "timestamp" else "asked_at": value for key, value in line(0, user="ann").items()}
    jsonl([renamed])
    assert ingest_source(database, settings, "logs").n_bad == 1
    mended = config(LOGS.replace('/*.jsonl*"}', '/*.jsonl*", fields = {timestamp = "asked_at"}}'))
    assert retry_quarantine(database, mended, "logs").n_new == 1
    done = erase_subject(database, mended, master_key().pseudonym("ann"), because="she asked")
    assert (done.n_requests, done.n_quarantined) == (1, 1)


def test_an_export_has_everything(judged):
    """Each request of Ann with its texts, its replay with what was changed, its judgement with its evidence."""
    with judged.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO llmmon.measurement (deployment, monitor, segment, window_start, window_end, value, n, unit,"
            " provenance_id) VALUES ('assistant', 'm', 'all', %(at)s, %(at)s, 1, 1, '', 1)",
            {"at": WINDOW.start},
        )
        connection.exec_driver_sql(
            "INSERT INTO llmmon.alert (dedupe_key, deployment, monitor, segment, detector, window_start, window_end,"
            " severity, title, sentence, value, e_value, request_keys, measurement_id, provenance_id)"
            " VALUES ('k', 'assistant', 'm', 'all', 'd', %(at)s, %(at)s, 'info', '', '', 1, 1, '{3,2}', 1, 1)",
            {"at": WINDOW.start},
        )
        first, second = subject_requests(connection, master_key().pseudonym("ann"))
    assert first["messages"] == [{"role": "user", "content": "Please remember the prompt secret 0"}]
    assert (first["response_text"], first["latency_ms"], first["reference_answer"]) == (
        "answer secret 0",
        100.0,
        "expected secret 0",
    )
    (replay,) = first["replays"]
    assert (replay["response_text"], replay["variant"], bool(replay["terms"])) == ("replay secret", "typo", True)
    assert {score["lane"]: score["evidence"]["found"] for score in first["scores"]} == {
        "logged": "answer secret 0",
        "serving": "replay secret",
    }
    assert (first["alerts"], second["alerts"]) == ([], [1])
