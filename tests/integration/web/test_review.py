"""The review pages: what waits, one item with what the scorer points at, and who may judge it."""

from __future__ import annotations

import pytest

from llmmon.store.database import fetch
from tests.integration.web.seed_rows import HOSTILE

ORIGIN = "http://testserver"


@pytest.fixture
def item(own_site):
    """Return an item that waits, drawn from a request that the store was filled with, and a second one."""
    with own_site.database.transaction() as connection:
        keys = connection.exec_driver_sql(
            "INSERT INTO llmmon.review_item (purpose, deployment, scorer, window_start, window_end, request_key,"
            " occurred_at, score, probability, seed, provenance_id, stratum)"
            " SELECT 'calibration', deployment, 'groundedness', occurred_at, occurred_at + interval '1 hour',"
            " request_key, occurred_at, 0.5, 0.25, 7, (SELECT min(provenance_id) FROM llmmon.provenance), %(hostile)s"
            " FROM llmmon.request_log ORDER BY request_key LIMIT 2 RETURNING review_item_id",
            {"hostile": HOSTILE},
        ).all()
    return keys[1][0]


def reviews(own_site, item):
    """Return what was said of an item."""
    with own_site.database.transaction() as connection:
        return [(row.reviewer, row.label) for row in fetch(connection, "review/of_item", {"review_item_id": item})]


def post(client, item, answer="yes", headers=None):
    """Send the form of the item's page."""
    sent = {"origin": ORIGIN} if headers is None else headers
    return client.post(f"/llmmon/review/{item}", data={"answer": answer, "note": "seen"}, headers=sent)


def test_waiting_items_are_listed_without_their_texts(connect_own, item):
    """The list has the chance to be drawn and the account, and what a log wrote is escaped."""
    text = connect_own().get("/llmmon/review").text
    assert f'/review/{item}">{item}</a>' in text
    assert "25.0%" in text
    assert HOSTILE not in text


def test_a_page_without_items_says_where_they_come_from(connect_own):
    """Without a review in the configuration the page says how to name one."""
    text = connect_own().get("/llmmon/review").text
    assert "Nothing was drawn yet" in text
    assert "[deployments.NAME.review.SCORER]" in text


def test_a_person_judges_and_is_shown_the_next_one(own_site, connect_own, item):
    """Yes is a label of 1 by the name of the login; the next page is the item that still waits."""
    client = connect_own()
    page = client.get(f"/llmmon/review/{item}").text
    assert 'value="cannot_tell"' in page
    assert HOSTILE not in page
    answer = post(client, item)
    assert answer.status_code == 303
    assert answer.headers["location"].endswith(f"/review/{item - 1}")
    assert reviews(own_site, item) == [("user-person", 1)]
    assert post(client, item - 1, "cannot_tell").headers["location"].endswith("/review")
    assert reviews(own_site, item - 1) == [("user-person", None)]
    assert "Everything drawn was judged" in client.get("/llmmon/review").text
    with own_site.database.transaction() as connection:
        actors = (
            connection.exec_driver_sql("SELECT actor FROM audit.trail WHERE event = 'review.given'").scalars().all()
        )
    assert actors == ["user-person"] * 2


def test_who_may_not_judge_keeps_nothing(own_site, connect_own, item):
    """A viewer sees no form; a viewer's POST, one from another site and an answer that is none are refused."""
    assert "<form" not in connect_own("viewer").get(f"/llmmon/review/{item}").text
    assert post(connect_own("viewer"), item).status_code == 403
    assert post(connect_own(), item, headers={"origin": "http://evil.example"}).status_code == 403
    assert post(connect_own(), item, headers={}).status_code == 403
    assert post(connect_own(), item, "maybe").status_code == 422
    assert reviews(own_site, item) == []


def test_an_item_that_is_not_there_is_said_so(connect_own):
    """Neither reading nor judging it works."""
    assert connect_own().get("/llmmon/review/99").status_code == 404
    assert connect_own().get("/llmmon/review/0").status_code == 404
    assert post(connect_own(), 99).status_code == 404
