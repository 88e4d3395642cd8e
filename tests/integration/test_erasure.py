"""What is kept of a subject opens for the subject's key only, and is gone with it."""

from __future__ import annotations

import dataclasses

import pytest

from llmmon.model import Provenance, Response, Window
from llmmon.pipeline.draw_sample import draw_sample
from llmmon.pipeline.ingest import finish_ingest, ingest_source
from llmmon.pipeline.plan_replay import plan_lane
from llmmon.pipeline.run_replay import finish_replay
from llmmon.pipeline.score_responses import score_responses
from llmmon.privacy.keys import master_key
from llmmon.store.frames import load_frames
from llmmon.store.provenance import remember
from llmmon.store.replay import keep_responses, sampled_requests, window_responses, window_samples

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
def settings(config, monkeypatch):
    monkeypatch.setenv("LLMMON_PRIVACY_KEY", "a key for tests, long enough")
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
