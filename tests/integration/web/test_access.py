"""Airflow's login guards every route, and only those who may edit the alert DAG change alerts."""

from __future__ import annotations

import uuid

import pytest

from llmmon.store.database import Database, fetch

ORIGIN = "http://testserver"

ROUTES = (
    "/",
    "/deployments/x",
    "/alerts",
    "/alerts/1",
    "/review",
    "/review/1",
    "/coverage",
    "/sources",
    "/batches/1/gate",
    "/audit",
    "/summary",
    "/static/widget.js",
    "/static/llmmon.css",
    "/reports/x/2023-06-27T05:00:00",
    "/reports/x/2023-06-27T05:00:00/document",
)


def routes_of_the_app():
    """Return every route with a path, read from the application itself."""
    from llmmon_airflow.web.app import app

    return [route for route in app.routes if hasattr(route, "methods")]


@pytest.mark.parametrize("path", ROUTES)
def test_stranger_is_refused(connect, path):
    """Without a token no route answers."""
    answer = connect(None).get(f"/llmmon{path}")

    assert answer.status_code == 401
    assert "Airflow login" in answer.text


def test_every_route_depends_on_the_login(connect):
    """No route, not even one added later, is outside the application's login dependency."""
    from llmmon_airflow.web.access import may_read

    connect()
    for route in routes_of_the_app():
        assert may_read in [dependency.call for dependency in route.dependant.dependencies], route.path


def test_broken_token_is_refused(connect, tokens):
    """A token whose signature does not match opens nothing."""
    client = connect(None)
    client.cookies.set("_token", tokens["user"][:-3] + "abc")

    assert client.get("/llmmon/alerts").status_code in {401, 403}


def post(client, alert_id, event="acknowledged", note="", headers=None):
    """Send the form of the alert page."""
    sent = {"origin": ORIGIN} if headers is None else headers
    return client.post(f"/llmmon/alerts/{alert_id}/events", data={"event": event, "note": note}, headers=sent)


def state_of(site):
    """Return the state of the first alert."""
    with site.database.transaction() as connection:
        return fetch(connection, "ui/alert", {"alert_id": site.alert_id})[0].state


def test_viewer_reads_but_does_not_change(site, connect):
    """A viewer sees the alert without buttons, and a hand-made POST is refused and changes nothing."""
    viewer = connect("viewer")

    assert "<form" not in viewer.get(f"/llmmon/alerts/{site.alert_id}").text
    assert post(viewer, site.alert_id).status_code == 403
    assert state_of(site) == "open"


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site", "origin": ORIGIN}],
    ids=["no origin", "other origin", "null origin", "cross site"],
)
def test_form_of_another_site_is_refused(site, connect, headers):
    """A signed-in user's browser cannot be made to change an alert from elsewhere."""
    assert post(connect(), site.alert_id, headers=headers).status_code == 403
    assert state_of(site) == "open"


def test_acknowledging_leaves_event_and_audit_entry(own_site, connect_own):
    """One press changes the state, writes the event with its actor and note, and the audit entry."""
    answer = post(connect_own(), own_site.alert_id, note="  known: the June rollout <b>  ")

    assert answer.status_code == 303
    assert answer.headers["location"] == f"/llmmon/alerts/{own_site.alert_id}"
    assert state_of(own_site) == "acknowledged"
    with own_site.database.transaction() as connect_ownion:
        event = fetch(connect_ownion, "ui/alert_events", {"alert_id": own_site.alert_id})[-1]
        entry = fetch(connect_ownion, "ui/audit", {"before": None, "event": "alert.acknowledged", "n_rows": 5})
    assert (event.event, event.note) == ("acknowledged", "known: the June rollout <b>")
    assert "user-person" in event.actor
    assert len(entry) == 1
    assert "user-person" in f"{entry[0].actor} {entry[0].detail}"


def test_resolve_and_reopen(own_site, connect_own):
    """An alert can be resolved and opened again, and the page offers what fits its state."""
    client = connect_own()

    assert post(client, own_site.alert_id, "resolved").status_code == 303
    assert 'value="reopened"' in client.get(f"/llmmon/alerts/{own_site.alert_id}").text
    assert post(client, own_site.alert_id, "reopened").status_code == 303
    assert state_of(own_site) == "open"


@pytest.mark.parametrize(
    ("event", "note", "status"),
    [("noted", "   ", 422), ("opened", "", 422), ("deleted", "", 422), ("noted", "x" * 4001, 422)],
)
def test_form_that_makes_no_sense_is_refused(site, connect, event, note, status):
    """An empty note, an event that people do not make, and a note without end change nothing."""
    assert post(connect(), site.alert_id, event, note).status_code == status
    assert state_of(site) == "open"


def test_second_person_is_told_that_it_was_done(own_site, connect_own):
    """Acknowledging what is acknowledged already changes nothing and says so."""
    assert post(connect_own(), own_site.alert_id).status_code == 303
    answer = post(connect_own(), own_site.alert_id)

    assert answer.status_code == 409
    assert "is acknowledged" in answer.text


def test_unknown_alert_is_not_changed(site, connect):
    """Changing an alert that is not there says so."""
    assert post(connect(), 999_999).status_code == 404


def test_pages_need_no_more_than_the_writers_rights(own_site, served):
    """A login that is only a member of llmmon_writer shows every page and changes an alert."""
    login = f"pages_{uuid.uuid4().hex[:8]}"
    with own_site.database.transaction() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {login} LOGIN IN ROLE llmmon_writer")
    as_writer = Database(own_site.database.url.set(username=login, password=None).render_as_string(hide_password=False))
    try:
        with served(as_writer) as connect_as_writer:
            client = connect_as_writer()
            for path in (
                "/",
                "/deployments/assistant-gpt4",
                "/alerts",
                "/alerts/1",
                "/coverage",
                "/sources",
                "/audit",
                "/summary",
            ):
                assert client.get(f"/llmmon{path}").status_code == 200, path
            assert post(client, own_site.alert_id).status_code == 303
    finally:
        as_writer.engine.dispose()
        with own_site.database.transaction() as connection:
            connection.exec_driver_sql(f"DROP ROLE {login}")
