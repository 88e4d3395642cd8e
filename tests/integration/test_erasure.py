"""What is kept of a subject opens for the subject's key only, and is gone with it."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.engine import make_url

from llmmon.audit.tree_hash import root_of
from llmmon.config import PrivacyConfig
from llmmon.errors import StoreError, UnknownSubjectError
from llmmon.model import Provenance, Response, Window
from llmmon.pipeline.draw_sample import draw_sample
from llmmon.pipeline.erase_subject import erase_subject
from llmmon.pipeline.ingest import finish_ingest, ingest_source
from llmmon.pipeline.plan_replay import plan_lane
from llmmon.pipeline.run_replay import finish_replay
from llmmon.pipeline.score_responses import score_responses
from llmmon.privacy.keys import master_key
from llmmon.privacy.redaction import Redactor
from llmmon.store.database import Database
from llmmon.store.frames import load_frames
from llmmon.store.payload import make_subject_keys
from llmmon.store.provenance import remember
from llmmon.store.replay import keep_responses, sampled_requests, window_responses, window_samples
from llmmon.store.request_log import window_requests
from llmmon.store.roles import create_login
from llmmon.store.stored_request import digest_of_row
from llmmon.store.subject import subject_requests

WINDOW = Window.parse("2023-06-27T05:00", hours=1)
LOGS = """
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl*"}
[sources.logs.gate]
max_bad_fraction = 1.0
[backends.local]
type = "openai_compatible"
base_url = "http://127.0.0.1:9/v1"
model = "served"
[deployments.assistant]
source = "logs"
sample = {per_window = 100}
[deployments.assistant.lanes.serving]
backend = "local"
variants = ["typo"]
[deployments.assistant.scorers.right]
judge = {type = "correctness", how = "normalised"}
lanes = ["logged", "serving"]
"""


@pytest.fixture
def settings(config):
    return config(LOGS)


@pytest.fixture
def judged(database, settings, jsonl, line):
    """Ann asks twice, Bob once and a stranger once; every request is replayed mistyped, once in vain, and judged."""
    lines = []
    for index, user in enumerate(("ann", "bob", "ann", None)):
        item = line(index, user=user, reference_answer=f"expected secret {index}")
        item["request"]["messages"][0]["content"] = f"Please remember the prompt secret {index}"
        item["response"]["choices"][0]["message"]["content"] = f"answer secret {index}"
        lines.append(item)
    jsonl(lines)
    ingest_source(database, settings, "logs")
    finish_ingest(database, settings, "assistant", WINDOW)
    draw_sample(database, settings, "assistant", WINDOW)
    replay(database, settings)
    finish_replay(database, settings, "assistant", WINDOW)
    score_responses(database, settings, "assistant", WINDOW)
    return database


def items(connection, settings):
    lane = settings.deployments["assistant"].lanes["serving"]
    samples = window_samples(connection, "assistant", WINDOW)
    return plan_lane("serving", lane, samples, sampled_requests(connection, "assistant", WINDOW), where="lane")


def replay(database, settings):
    """Keep what an endpoint would give."""
    with database.transaction() as connection:
        keep(connection, items(connection, settings))


def keep(connection, todo):
    """Keep an answer to each item, and for the second request an error that quotes the input."""
    made_by = Provenance(kind="backends", plugin="test", parameters={}, code_version="", config_digest="")
    provenance_id = remember(connection, made_by)
    for item in todo:
        told = {"told": f"refused: {item.messages[0].content}"}
        outcome = {"reason": "refused", "detail": told} if item.request_key == 2 else {"text": "replay secret"}
        response = Response(item=item, backend="test", model="m", model_revision=None, **outcome)
        keep_responses(connection, "assistant", WINDOW, [response], {None: provenance_id})


def stored(database):
    """Return everything that is stored of replays and scores, as Postgres prints it, bytea as text."""
    with database.transaction() as connection:
        connection.exec_driver_sql("SET LOCAL bytea_output = 'escape'")
        return {
            table: connection.exec_driver_sql(
                f"SELECT request_key, row.*::text AS text FROM llmmon.{table} AS row ORDER BY 1"
            ).all()
            for table in ("response", "score")
        }


def erase_by_hand(database, user):
    with database.transaction() as connection:
        ref = master_key().pseudonym(user)
        connection.exec_driver_sql("DELETE FROM llmmon.subject_key WHERE user_ref = %s", (ref,))


def test_replays_and_evidence_of_subjects_are_sealed(judged):
    """No word of Ann or Bob is in the tables of replays and scores; the stranger's, who has no key, are."""
    for table, rows in stored(judged).items():
        words = {row.request_key: "secret" in row.text for row in rows}
        assert words == {1: False, 2: False, 3: False, 4: True}, table


def test_replays_come_back_with_what_the_variant_changed_and_the_endpoint_told(judged):
    """Readers see what was kept, also of the replay that failed."""
    with judged.transaction() as connection:
        found = {row.request_key: texts for row, texts in window_responses(connection, "assistant", WINDOW)}
        frames = load_frames(connection, "assistant", WINDOW, sampled_scorers=())
    assert [found[key].response_text for key in (1, 2, 3, 4)] == [
        "replay secret",
        None,
        "replay secret",
        "replay secret",
    ]
    assert found[2].told.startswith("refused: ")
    assert all(texts.terms and texts.messages for texts in found.values())
    assert list(frames.responses["text"]) == ["replay secret", None, "replay secret", "replay secret"]
    assert set(frames.scores["value"].dropna()) == {0.0}


def test_without_the_key_replays_are_gone_and_numbers_stay(judged, settings):
    """Judged again, the scores of what is gone stay as they were, and the account says why."""
    with judged.transaction() as connection:
        before = load_frames(connection, "assistant", WINDOW, sampled_scorers=()).scores
    erase_by_hand(judged, "ann")
    result = score_responses(judged, settings, "assistant", WINDOW)
    assert (result.n_done, result.n_expired, result.n_changed) == (2, 2, 0)
    with judged.transaction() as connection:
        found = {row.request_key: texts for row, texts in window_responses(connection, "assistant", WINDOW)}
        after = load_frames(connection, "assistant", WINDOW, sampled_scorers=()).scores
        assert len(items(connection, settings)) == 2
    assert {key: texts.is_gone for key, texts in found.items()} == {1: True, 2: False, 3: True, 4: False}
    assert after.equals(before)
    account = finish_replay(judged, settings, "assistant", WINDOW)
    assert dataclasses.astuple(account) == (3, 1, 0, 0, 0)


@pytest.fixture
def eraser(judged):
    """The database as a member of llmmon_eraser opens it."""
    with judged.transaction() as connection:
        create_login(connection, "test_eraser", "pass", member_of="llmmon_eraser")
    url = make_url(judged.url).set(username="test_eraser", password="pass")
    opened = Database(url.render_as_string(hide_password=False))
    yield opened
    opened.engine.dispose()


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


def test_a_quarantined_row_whose_user_is_known_goes_too(database, settings, jsonl, line, monkeypatch):
    """Ann's row could be read and not be redacted; a row that cannot be read at all is nobody's, and stays sealed."""
    monkeypatch.setattr(Redactor, "_find", lambda self, text: 1 / 0)
    redacting = settings.model_copy(update={"privacy": PrivacyConfig(redact=("EMAIL_ADDRESS",))})
    jsonl([line(0, user="ann"), b"{not json"])
    assert ingest_source(database, redacting, "logs").n_bad == 2
    with database.transaction() as connection:
        make_subject_keys(connection, [master_key().pseudonym("ann")])
    done = erase_subject(database, settings, master_key().pseudonym("ann"), because="she asked")
    assert done.n_quarantined == 1
    with database.transaction() as connection:
        assert connection.exec_driver_sql("SELECT code, sealed FROM llmmon.quarantine").all() == [
            ("malformed_json", True)
        ]


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


def test_an_answer_that_arrives_after_the_erasure_is_not_kept(database, settings, jsonl, line):
    """The key went while the model was answering: neither the answer nor the input is stored."""
    jsonl([line(0, user="ann")])
    ingest_source(database, settings, "logs")
    finish_ingest(database, settings, "assistant", WINDOW)
    draw_sample(database, settings, "assistant", WINDOW)
    with database.transaction() as connection:
        (item,) = items(connection, settings)
    erase_by_hand(database, "ann")
    assert finish_replay(database, settings, "assistant", WINDOW).n_expired == 1
    with database.transaction() as connection:
        keep(connection, [item])
    (row,) = stored(database)["response"]
    assert "secret" not in row.text
    assert "prime" not in row.text
    with database.transaction() as connection:
        ((facts, texts),) = window_responses(connection, "assistant", WINDOW)
    assert (facts.state, facts.key_id, texts.is_gone) == ("done", 1, True)
