"""From a log to a corrected rate: items are drawn, people label them, windows are measured again, and views show it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from llmmon.cli import main
from llmmon.errors import ConfigError, ReviewError, StoreError, UnknownItemError
from llmmon.model import Window
from llmmon.pipeline.draw_review import draw_days, draw_review
from llmmon.pipeline.erase_subject import erase_subject
from llmmon.pipeline.fix_anchors import fix_anchors, fix_own_anchors
from llmmon.pipeline.ingest import ingest_source
from llmmon.pipeline.keep_reviews import keep_reviews, reviews_of_lines
from llmmon.pipeline.measure import measure
from llmmon.pipeline.rescore_anchors import rescore_anchors
from llmmon.pipeline.score_responses import score_responses
from llmmon.store.review import Review, item_texts, list_items
from tests.integration.roles.test_roles import logins

TOML = """
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/*.jsonl"}
gate = {max_bad_fraction = 1.0}
[deployments.assistant]
source = "logs"
reference_windows = 3
scorers = {groundedness = {judge = "lexical_support"}}
[deployments.assistant.review.groundedness]
per_draw = 60
[deployments.assistant.monitors.raw]
metric = {type = "score_rate", scorer = "groundedness", limit = 1.0}
min_effect = 0.1
[deployments.assistant.monitors.unsupported]
metric = {type = "calibrated_rate", scorer = "groundedness", threshold = 1.0}
min_effect = 0.1
[deployments.assistant.monitors.anchors]
metric = {type = "anchor_shift", scorer = "groundedness"}
min_effect = 0.05
"""
DAY = Window.parse("2023-06-27T00:00/2023-06-28T00:00")
WINDOW = Window.parse("2023-06-27T05:00", hours=1)
DOCUMENT = "The tower stands 324 metres tall and opened in 1889."


@pytest.fixture
def settings(config, jsonl, line):
    """Return the configuration, with 100 requests beside it: every third answer says what no document says."""
    lines = []
    for n in range(100):
        text = "It was painted green by Napoleon." if n % 3 == 0 else "The tower opened in 1889."
        message = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        response = {"model": "m", "choices": [message]}
        lines.append(line(n, response=response, context=[{"id": "guide", "content": DOCUMENT}], user=f"user {n % 7}"))
    jsonl(lines)
    return config(TOML)


@pytest.fixture
def judged(database, settings):
    """Return a database whose first window is loaded and judged."""
    ingest_source(database, settings, "logs")
    score_responses(database, settings, "assistant", WINDOW)
    return database


def rows(database, query):
    """Return the rows of a query as dictionaries."""
    with database.transaction() as connection:
        return [dict(row._mapping) for row in connection.exec_driver_sql(query).all()]


def items(database):
    """Return the items that wait for a person."""
    with database.transaction() as connection:
        return list_items(connection, n_rows=1000)


def label_all(database, *, wrong=()):
    """Let two people label every item rightly; the first is wrong about items in the places of `wrong`."""
    waiting = items(database)
    given = []
    for place, item in enumerate(waiting):
        truth = int(item.score < 1)
        given.append(Review(review_item_id=item.review_item_id, reviewer="mira", label=truth ^ (place in wrong)))
        given.append(Review(review_item_id=item.review_item_id, reviewer="otto", label=truth))
    return keep_reviews(database, given, config_digest="0" * 64, by="test")


def test_a_window_is_drawn_once_with_probabilities_that_add_up(judged, settings):
    """60 of 100; drawn again nothing changes, and the weights add up to the window within the error of the draw."""
    first = draw_review(judged, settings, "assistant", "groundedness", DAY)
    again = draw_review(judged, settings, "assistant", "groundedness", DAY)
    assert (first.n_responses, first.n_drawn, first.n_new) == (100, 60, 60)
    assert (again.n_drawn, again.n_new) == (60, 0)
    kept = rows(judged, "SELECT score, probability, seed FROM llmmon.review_item")
    assert {row["probability"] for row in kept} == {0.6}
    assert sum(row["score"] < 1 for row in kept) == pytest.approx(20, abs=1)
    assert draw_days(judged, settings, now=datetime(2023, 6, 29, tzinfo=UTC)) == {}
    events = rows(judged, "SELECT detail FROM audit.trail WHERE event = 'review.drawn'")
    assert [event["detail"]["n_new"] for event in events] == [60]
    with pytest.raises(ConfigError, match="no scorer 'words' is reviewed"):
        draw_review(judged, settings, "assistant", "words", DAY)


def test_days_that_are_over_are_drawn_from(judged, settings):
    """The day is drawn from once it is over, and not before."""
    assert draw_days(judged, settings, now=datetime(2023, 6, 27, 23, tzinfo=UTC)) == {}
    drawn = draw_days(judged, settings, now=datetime(2023, 6, 28, tzinfo=UTC))
    assert drawn == {"assistant groundedness": {"2023-06-27T00:00:00": 60}}


def test_labels_turn_an_uncalibrated_rate_into_a_corrected_one(judged, settings):
    """Before: needs 50 more labels, and the raw rate is marked; after: the share people see, shown by the view."""
    draw_review(judged, settings, "assistant", "groundedness", DAY)
    measure(judged, settings, "assistant", WINDOW)
    view = "SELECT * FROM compliance.calibrated_rates ORDER BY monitor"
    raw, corrected = rows(judged, view)
    assert (raw["monitor"], raw["is_calibrated"], raw["value"]) == ("raw", False, 0.34)
    assert (corrected["value"], corrected["reason"]) == (None, "uncalibrated: needs 50 more labels")

    assert label_all(judged, wrong=(3,)) == 120
    assert label_all(judged, wrong=(3,)) == 0
    measure(judged, settings, "assistant", WINDOW)
    _, corrected = rows(judged, view)
    assert corrected["is_calibrated"]
    assert corrected["value"] == pytest.approx(0.34, abs=0.02)
    assert corrected["low"] < 0.34 < corrected["high"]
    assert (corrected["n_labels"], corrected["method"]) == (60, "rogan_gladen")
    labels = rows(judged, "SELECT n_reviewers, label, agree FROM compliance.review_labels")
    assert len(labels) == 60
    assert sum(not row["agree"] for row in labels) == 1
    given = rows(judged, "SELECT actor, detail FROM audit.trail WHERE event = 'review.given'")
    assert len(given) == 120
    assert {row["actor"] for row in given} == {"test"}


def test_the_last_word_of_a_reviewer_counts_and_none_is_lost(judged, settings):
    """Yes, then cannot tell: the item has no label, and both are there."""
    draw_review(judged, settings, "assistant", "groundedness", DAY)
    item = items(judged)[0].review_item_id
    for lines in (f'{{"item": {item}, "label": 1}}', f'{{"id": {item}, "label": null, "reason": "no idea"}}'):
        keep_reviews(judged, reviews_of_lines([lines], where="f", reviewer="mira"), config_digest="0" * 64)
    with judged.transaction() as connection:
        found = item_texts(connection, item)
    assert [(row.label, row.reason) for row in found.reviews] == [(1, None), (None, "no idea")]
    (shown,) = rows(
        judged, "SELECT label, n_reviewers, n_cannot_tell FROM compliance.review_labels WHERE n_reviewers > 0"
    )
    assert shown == {"label": None, "n_reviewers": 1, "n_cannot_tell": 1}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "not JSON"),
        ("[]", "expected an object"),
        ('{"item": "x", "label": 1, "reviewer": "m"}', "item: expected the number"),
        ('{"item": 1, "label": 2, "reviewer": "m"}', "label: expected 0, 1 or null, got 2"),
        ('{"item": 1, "reviewer": "m"}', "got nothing"),
        ('{"item": 1, "label": 1}', "reviewer: expected a name"),
        ('{"item": 1, "label": 1, "reviewer": "m", "spans": [[5, 2]]}', "spans: expected"),
        ('{"item": 1, "label": 1, "reviewer": "m", "colour": "red"}', "unknown field 'colour'"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(line, told):
    """The line, the field and what was expected."""
    with pytest.raises(ReviewError, match="f, line 2: ") as error:
        list(reviews_of_lines(["\n", line], where="f"))
    assert told in str(error.value)


def test_a_review_of_no_item_keeps_nothing(judged):
    """All of them or none."""
    with pytest.raises(UnknownItemError, match="no item 7"):
        keep_reviews(judged, [Review(review_item_id=7, reviewer="m", label=1)], config_digest="0" * 64)


def test_an_erased_person_is_not_asked_about_and_labels_stay(judged, settings, database_url):
    """Their items show no text, draws leave them out, anchors of theirs are passed over, and what was said stays."""
    draw_review(judged, settings, "assistant", "groundedness", DAY)
    label_all(judged)
    fixed = fix_anchors(judged, settings, "assistant", "groundedness", n_each=25)
    assert rescore_anchors(judged, settings, "assistant", WINDOW) == {"groundedness": fixed}
    subject = rows(judged, "SELECT user_ref FROM llmmon.request_log LIMIT 1")[0]["user_ref"]
    with logins() as login:
        erase_subject(login(judged, "llmmon_eraser"), settings, subject, because="asked")
    theirs = (
        "SELECT review_item_id FROM llmmon.review_item JOIN llmmon.request_log USING (request_key)"
        f" WHERE user_ref = '{subject}' AND purpose = "
    )
    with judged.transaction() as connection:
        found = item_texts(connection, rows(judged, theirs + "'calibration'")[0]["review_item_id"])
    assert found.texts.is_gone
    assert found.evidence == {}
    assert len(found.reviews) == 2
    gone = len(rows(judged, theirs + "'anchor'"))
    assert gone > 0
    assert rescore_anchors(judged, settings, "assistant", DAY) == {"groundedness": fixed - gone}
    other = Window.parse("2023-06-27T05:00/2023-06-27T06:00")
    with judged.transaction() as connection:
        connection.exec_driver_sql(
            "DELETE FROM llmmon.anchor_score; DELETE FROM llmmon.review; DELETE FROM llmmon.review_item"
        )
    again = draw_review(judged, settings, "assistant", "groundedness", other)
    assert again.n_responses < 100


def test_a_changed_judge_moves_its_anchors_and_an_unchanged_one_does_not(judged, settings, config):
    """0 with the same judge; with another threshold the same texts are judged otherwise."""
    draw_review(judged, settings, "assistant", "groundedness", DAY)
    label_all(judged)
    own = {"id": "a1", "prompt": "When?", "context": [DOCUMENT], "response": "It opened in 1889.", "label": 0}
    assert fix_own_anchors(judged, settings, "assistant", "groundedness", [json.dumps(own)], where="f") == 1
    assert fix_own_anchors(judged, settings, "assistant", "groundedness", [json.dumps(own)], where="f") == 0
    fix_anchors(judged, settings, "assistant", "groundedness", n_each=10)
    rescore_anchors(judged, settings, "assistant", WINDOW)
    measure(judged, settings, "assistant", WINDOW)
    newest = "SELECT value, low, high, n, reason FROM llmmon.measurement_latest WHERE monitor = "
    assert rows(judged, newest + "'anchors'") == [{"value": 0.0, "low": 0.0, "high": 0.0, "n": 21, "reason": None}]

    stricter = config(TOML.replace('judge = "lexical_support"', 'judge = {type = "lexical_support", threshold = 1.0}'))
    rescore_anchors(judged, stricter, "assistant", WINDOW)
    score_responses(judged, stricter, "assistant", WINDOW)
    measure(judged, stricter, "assistant", WINDOW)
    (moved,) = rows(judged, newest + "'anchors'")
    assert moved["value"] is not None
    with pytest.raises(ReviewError, match="line 1: the scorer has no value"):
        fix_own_anchors(judged, settings, "assistant", "groundedness", ['{"id": "b", "response": "Yes."}'], where="f")


def test_the_pipelines_login_adds_reviews_and_changes_none(judged, settings):
    """Append-only by the rights of the role that writes."""
    draw_review(judged, settings, "assistant", "groundedness", DAY)
    with logins() as login:
        writer = login(judged, "llmmon_writer")
        assert label_all(writer) == 120
        for statement in (
            "UPDATE llmmon.review SET label = 0",
            "DELETE FROM llmmon.review",
            "UPDATE llmmon.review_item SET score = 0",
        ):
            with pytest.raises(StoreError, match="permission denied"):
                rows(writer, statement)


def test_the_verbs_draw_show_label_export_import_and_compare(judged, settings, database_url, tmp_path):
    """`llmmon review`, as a person would use it; control characters of a log do not reach the terminal."""
    place = ["--config", str(tmp_path / "llmmon.toml"), "--database", database_url]

    def call(*words, place=place):
        result = CliRunner().invoke(main, ["review", *words, *place], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    drawn = json.loads(call("draw", "--window", "2023-06-27T00:00/2023-06-28T00:00", "--json"))
    assert drawn[0]["n_drawn"] == 60
    listed = json.loads(call("list", "--json", place=place[2:]))
    item = str(listed[0]["review_item_id"])
    shown = call("show", item, place=place[2:])
    assert DOCUMENT in shown
    assert "groundedness said" in shown
    assert "item" in call("label", item, "yes", "--by", "mira")
    file = tmp_path / "labels.jsonl"
    file.write_text(f'{{"item": {item}, "label": 0, "reviewer": "otto", "note": "it does"}}\n')
    assert "1 reviews read: 1 new" in call("import", str(file))
    exported = [json.loads(line) for line in call("export", place=place[2:]).splitlines()]
    assert [(row["reviewer"], row["label"]) for row in exported] == [("mira", 1), ("otto", 0)]
    assert "request_id" in exported[0]
    (compared,) = json.loads(call("agreement", "--json", place=place[2:]))
    assert (compared["n_items"], compared["agreed"]) == (1, 0.0)
