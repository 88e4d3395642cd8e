"""What replays and scorers keep of a subject opens for the subject's key only, and is gone with it."""

from __future__ import annotations

import dataclasses

from llmmon.pipeline.draw_sample import draw_sample
from llmmon.pipeline.ingest import finish_ingest, ingest_source
from llmmon.pipeline.run_replay import finish_replay
from llmmon.pipeline.score_responses import score_responses
from llmmon.privacy.keys import master_key
from llmmon.store.frames import load_frames
from llmmon.store.replay import window_responses
from tests.integration.erasure.conftest import WINDOW, items, keep


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
