"""Every page, filled and empty, with hostile text in every field that comes from a log."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import quote

import pytest

from llmmon.pipeline.seal import seal
from llmmon.store.ledger import keep_anchor
from tests.integration.web.seed_rows import ASSISTANT, HOSTILE_NAME, SURVEY

PAGES = (
    "/",
    f"/deployments/{ASSISTANT}",
    f"/deployments/{SURVEY}?monitor=accuracy&segment=all",
    f"/deployments/{ASSISTANT}?look=accuracy&at={quote('route=primes')}",
    f"/deployments/{quote(HOSTILE_NAME, safe='')}",
    "/alerts",
    "/alerts?state=open",
    "/alerts/1",
    "/alerts/2",
    "/alerts/4",
    "/sources",
    f"/coverage?deployment={ASSISTANT}",
    "/audit",
)
GROUPS = {
    "groups": {
        "young": {"rate": 1.0, "n": 12, "low": 0.74, "high": 1.0},
        "<img src=x>": {
            "rate": 0.2,
            "n": 12,
            "low": 0.02,
            "high": 0.48,
            "ratio": 0.2,
            "ratio_low": 0.05,
            "ratio_high": 0.6,
            "four_fifths": "below 0.8 beyond chance",
            "chance": 0.00092,
        },
    },
    "n_without_attribute": 7,
    "n_excluded": 3,
    "excluded_groups": {"child": 3},
}
RAW = ("<script>alert", "<img src=x")


@pytest.mark.parametrize("path", PAGES)
def test_page_is_escaped_and_guarded(site, connect, path):
    """Each page answers 200, shows hostile text as text, and carries a policy that runs no inline script."""
    answer = connect().get(f"/llmmon{path}")

    assert answer.status_code == 200, answer.text
    assert not [raw for raw in RAW if raw in answer.text]
    assert "style=" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_groups_of_a_stream_are_shown_with_their_verdicts(own_site, connect_own):
    """The newest window's groups, lowest first; their names come from a log."""
    with own_site.database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE llmmon.measurement SET detail = %(detail)s WHERE deployment = %(name)s AND monitor = 'accuracy'",
            {"name": ASSISTANT, "detail": json.dumps(GROUPS)},
        )
    text = connect_own().get(f"/llmmon/deployments/{ASSISTANT}?look=accuracy&at=all").text

    assert "&lt;img src=x&gt;" in text
    assert "<img src=x" not in text
    shown = text[text.index("Groups in the newest window") :]
    assert shown.index("&lt;img src=x&gt;") < shown.index("young")
    assert "below 0.8 beyond chance" in shown
    assert "0.00092" in shown
    assert '<span class="num">7</span> requests without the attribute' in shown
    other = connect_own().get(f"/llmmon/deployments/{SURVEY}?look=accuracy&at=all").text
    assert "Groups in the newest window" not in other


def test_hostile_text_is_shown_and_not_dropped(site, connect):
    """Escaping keeps every character, and a character that reorders text is named instead of obeyed."""
    text = connect().get(f"/llmmon/alerts/{site.alert_id}").text

    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in text
    assert "[U+202E]evil" in text
    assert "\u202e" not in text
    assert "Show all 8,000 characters" in text


@pytest.mark.parametrize("path", ["/", "/alerts", "/coverage", "/sources", "/audit"])
def test_empty_store_explains_itself(connect_empty, path):
    """With nothing stored each page says what will fill it."""
    answer = connect_empty().get(f"/llmmon{path}")

    assert answer.status_code == 200
    assert 'class="empty"' in answer.text


def test_configured_deployment_without_windows_is_listed(connect_empty, config, tmp_path, monkeypatch):
    """A deployment of llmmon.toml is on the first page before its first window."""
    config()
    monkeypatch.setenv("LLMMON_CONFIG", str(tmp_path / "llmmon.toml"))

    text = connect_empty().get("/llmmon/").text

    assert "assistant" in text
    assert "No window has been measured yet" in text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/deployments/nobody", 404),
        ("/deployments/a%00b", 404),
        ("/alerts/999", 404),
        ("/alerts/99999999999999999999", 404),
        ("/alerts/one", 422),
        ("/alerts?state=broken", 422),
        ("/alerts?deployment=a%00b", 422),
        ("/coverage?deployment=nobody", 404),
        ("/coverage?before=yesterday", 422),
        ("/audit?before=0", 422),
        ("/batches/999/gate", 404),
        ("/batches/99999999999999999999/gate", 404),
        ("/reports/assistant-gpt4/2023-06-27T05:00:00", 404),
        ("/reports/assistant-gpt4/9999-12-31T23:59:59", 404),
        ("/reports/assistant-gpt4/%27;--", 404),
        ("/static/..%2Fapp.py", 404),
        ("/nothing", 404),
    ],
)
def test_what_is_not_there_is_said(site, connect, path, status):
    """An unknown name, id or file gives a page that says so, never a server error."""
    answer = connect().get(f"/llmmon{path}")

    assert answer.status_code == status
    assert "<h1>" in answer.text
    assert "content-security-policy" in answer.headers


def test_overview_tells_the_states_apart(site, connect):
    """The moved deployment is alarmed, the still one silent, and their accounts and budgets are shown."""
    text = connect().get("/llmmon/").text
    cards = dict(
        re.findall(r'<h2><a href="/llmmon/deployments/([^"]+)">.*?</h2>\s*<span class="badge is-(\w+)">', text, re.S)
    )

    assert "wait for a person and are in none of these figures" in text
    assert cards[ASSISTANT] == "alarmed"
    assert cards[SURVEY] == "silent"
    assert "112 done" in re.sub("&nbsp;", " ", text)
    assert 'an alert needs <span class="num">200</span> and a change that is large enough' in text


def test_stream_shows_gap_and_reference_windows(site, connect):
    """A window without a value is a gap with its reason; the windows that were learnt from are shaded."""
    text = connect().get(f"/llmmon/deployments/{ASSISTANT}?look=accuracy&at=all").text

    assert text.count('<rect class="gap"') == 2
    assert "no value: no request has a reference answer" in text
    assert ">reference windows</text>" in text


def test_detection_power_shows_the_smallest_size_that_was_noticed(site, connect):
    """Per fault one line: the smallest size noticed in 80% of runs, by whom, how soon; or the largest tried."""
    text = re.sub(r"<[^>]*>|\s+", " ", connect().get(f"/llmmon/deployments/{ASSISTANT}").text)
    text = re.sub(r"\s+", " ", text)

    assert "nothing planted: false alarms 0.0%" in text
    assert "refusal share 20.0% of answers 100.0% 90.0% to 100.0% 3 h refusal-rate" in text
    assert "latency factor not 2 times, the largest tried 20.0%" in text
    assert "ttft factor no monitor measures what this fault changes" in text


def test_detection_power_that_is_not_known_says_what_is_missing(site, connect):
    """Too short a history names how many windows more; a deployment that was never certified says how to do it."""
    short = connect().get(f"/llmmon/deployments/{quote(HOSTILE_NAME, safe='')}").text
    assert "Cannot tell yet: needs <span" in short
    assert "Not certified yet" in connect().get(f"/llmmon/deployments/{SURVEY}").text


def test_account_that_does_not_close_is_marked(site, connect):
    """A stage that lost two requests is called out, with how many are missing."""
    text = connect().get(f"/llmmon/coverage?deployment={ASSISTANT}&before=2023-06-27T10:00:00").text

    assert "1 of 5 windows do not close" in text
    assert "no, \N{MINUS SIGN}2" in text


def test_alert_shows_replays_side_by_side(site, connect):
    """The alert page holds logged and replayed answers, their scores, the deliveries and the provenance."""
    text = connect().get(f"/llmmon/alerts/{site.alert_id}").text

    for expected in ("the endpoint answered 503 three times", "Changed prompt", "correctness", "451 try again later"):
        assert expected in text
    for expected in ("reference_change", "burn_in", "alert needed", "likeliest since 2023-06-27 12:00:00"):
        assert expected in text


def test_alert_says_what_it_comes_from(own_site, connect_own):
    """Before it is explained the page says how; then it shows cause, shares, notes and segments, escaped."""
    page = connect_own().get(f"/llmmon/alerts/{own_site.alert_id}").text
    assert "Not explained yet" in page
    share = {"cause": "model", "value": -0.4, "low": -0.5, "high": -0.3, "reason": None}
    carrier = {"segment": [["route", "<b>primes"]], "how": "answers", "before": 0.9, "now": 0.4, "contribution": 0.8}
    carrier |= {"low": -0.6, "high": -0.4}
    detail = {
        "reading": "score correctness",
        "reading_unit": "0/1",
        "attribution": {"shares": [share], "total": {**share, "cause": "total"}, "n_reference": 600, "n_current": 150},
        "told": {"notes": ["add a lane <i>"]},
        "segments": {"n_candidates": 24, "carriers": [carrier]},
        "windows": {"reference": ["a"], "current": ["b", "c"]},
    }
    with own_site.database.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO llmmon.alert_explanation (alert_id, cause, statement, detail, provenance_id)"
            " VALUES (%(id)s, 'model', 'Most of it comes from model.', %(detail)s::jsonb, 1)",
            {"id": own_site.alert_id, "detail": json.dumps(detail)},
        )
    page = connect_own().get(f"/llmmon/alerts/{own_site.alert_id}").text
    for shown in (
        "Most of it comes from model.",
        "40.0 pp",
        "route=&lt;b&gt;primes",
        "add a lane &lt;i&gt;",
        "24 segments",
    ):
        assert shown in page
    assert "<b>primes" not in page


def test_what_was_erased_is_named_as_erased(own_site, connect_own):
    """The request keeps its facts; in place of its logged and its replayed answers stands why there are none."""
    with own_site.database.transaction() as connection:
        (key, *_) = connection.exec_driver_sql("SELECT request_keys FROM llmmon.alert WHERE alert_id = 1").scalar_one()
        for table in ("request_payload", "response"):
            connection.exec_driver_sql(f"UPDATE llmmon.{table} SET key_id = 99 WHERE request_key = %s", (key,))
    text = connect_own().get("/llmmon/alerts/1").text

    assert text.count("No answer: its subject was erased") == 4
    assert "451 try again later" in text


def test_source_with_held_batches_comes_first_with_its_account(site, connect):
    """The held batch leads to its alert; three quarantined rows that nobody kept are called out."""
    text = connect().get("/llmmon/sources").text
    names = re.findall(r'<section class="panel source" aria-label="([^"]+)">', text)

    assert [html.unescape(name) for name in names] == [HOSTILE_NAME, "demo-logs"]
    assert "Batches held" in text
    assert 'href="/llmmon/alerts/4"' in text
    assert text.count("Every day adds up") == 1
    assert text.count("no, +3") == 1
    assert "not in llmmon.toml any more" in text


def test_what_a_gate_found_is_a_page_that_loads_and_runs_nothing(site, connect):
    """The document of a batch is reached from its source, keeps hostile names as text and is sandboxed."""
    client = connect()
    assert 'href="/llmmon/batches/3/gate"' in client.get("/llmmon/sources").text
    answer = client.get("/llmmon/batches/3/gate")

    assert answer.status_code == 200
    assert "Gate of batch 3" in answer.text
    assert not [raw for raw in RAW if raw in answer.text]
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none';")


def test_alert_of_a_source_says_what_waits_and_what_to_do(site, connect):
    """It has no stream and no evidence, but batches, a reason and the verbs that decide on them."""
    text = connect().get("/llmmon/alerts/4").text

    assert "Batches held" in text
    assert "llmmon batch release 3 --because" in text
    assert "E-value" not in text
    assert "e-value" in connect().get("/llmmon/alerts").text


def test_the_audit_page_says_how_far_the_trail_is_sealed_and_signed(own_site, connect_own):
    """Before sealing, sealed and unsigned, signed and sent to two channels."""
    client = connect_own()
    assert "No event is sealed yet" in client.get("/llmmon/audit").text
    n = seal(own_site.database)
    text = client.get("/llmmon/audit").text
    assert f"{n} events are sealed" in text
    assert "No signed head was sent" in text
    with own_site.database.transaction() as connection:
        for channel in ("vault", HOSTILE_NAME):
            keep_anchor(connection, size=n, channel=channel, checkpoint="c", receipt="r")
    text = client.get("/llmmon/audit").text
    assert f"{n} events to <bdi>vault</bdi>" in text
    assert f"{n} events to <bdi>{html.escape(HOSTILE_NAME)}</bdi>" in text


def test_pages_write_nothing(site, connect):
    """A page's transaction is read-only, so that no page can change what it shows."""
    from llmmon.errors import StoreError
    from llmmon_airflow.web.reading import reading

    connect()
    with pytest.raises(StoreError, match="read-only"), reading() as connection:
        connection.exec_driver_sql("DELETE FROM llmmon.alert_event")


def test_slow_statement_is_stopped(connect, monkeypatch):
    """A statement beyond the page's time limit is cancelled and said to be."""
    from llmmon.errors import StoreError
    from llmmon_airflow.web import reading

    connect()
    monkeypatch.setattr(reading, "TIMEOUT_MS", 50)
    with pytest.raises(StoreError, match="statement timeout"), reading.reading() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(20)")


def test_database_that_is_away_is_named(connect, monkeypatch):
    """When Postgres does not answer, the page says where it was looked for, without its password."""
    from llmmon_airflow import settings

    client = connect()
    monkeypatch.setenv("LLMMON_DATABASE_URL", "postgresql://ada:secret@127.0.0.1:9/none")
    settings.database.cache_clear()
    answer = client.get("/llmmon/")

    assert answer.status_code == 503
    assert "127.0.0.1:9" in answer.text
    assert "secret" not in answer.text


def test_broken_configuration_is_named(connect_empty, tmp_path):
    """A key that llmmon.toml may not have is named on the page, with its file."""
    client = connect_empty()
    (tmp_path / "bare.toml").write_text("[sources]\n[deployments]\nalhpa = 0.1\n")
    answer = client.get("/llmmon/")

    assert answer.status_code == 500
    assert "deployments.alhpa" in answer.text


def test_report_is_framed_in_a_sandbox(own_site, connect_own):
    """The report's page frames it without the rights of our origin, and the document can reach nothing."""
    from evidently import Dataset, Report
    from evidently.presets import DataSummaryPreset
    from pandas import DataFrame

    from llmmon.model import Window
    from llmmon.store.report import keep_report

    snapshot = Report([DataSummaryPreset()]).run(Dataset.from_pandas(DataFrame({"latency_ms": [1.0, 2.0, 3.0]})), None)
    window = Window.parse("2023-06-27T12:00:00", hours=1)
    with own_site.database.transaction() as connect_ownion:
        keep_report(connect_ownion, ASSISTANT, window, summary={}, snapshot=snapshot.dumps())
    client = connect_own()
    path = f"/llmmon/reports/{ASSISTANT}/{window.key}"

    assert path.replace(":", "%3A") in client.get(f"/llmmon/deployments/{ASSISTANT}").text
    page = client.get(path)
    assert 'sandbox="allow-scripts"' in page.text
    document = client.get(f"{path}/document")
    assert document.status_code == 200
    assert "latency_ms" in document.text
    policy = document.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none';")
    assert "connect-src 'none'" in policy
    assert "allow-same-origin" not in policy


def test_summary_feeds_the_card_on_the_home_page(site, connect):
    """The card gets each deployment's state and open alerts, and nothing else."""
    found = {item["name"]: item for item in connect().get("/llmmon/summary").json()}

    assert found[ASSISTANT] == {"name": ASSISTANT, "state": "alarmed", "n_open": 1}
    assert found[SURVEY]["state"] == "silent"


def test_trail_is_paged_without_loss(own_site, connect_own):
    """Following "Older events" from page to page shows each event once, newest first."""
    with own_site.database.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO audit.event (body) SELECT jsonb_build_object('event', 'test.counted', 'actor', 'a',"
            " 'code_version', '0', 'config_digest', '0', 'subject', 'number ' || i)::text"
            " FROM generate_series(1, 230) AS i"
        )
    client = connect_own()
    path: str | None = "/llmmon/audit?event=test.counted"
    seen: list[int] = []
    while path:
        text = client.get(path).text
        seen += [int(number) for number in re.findall(r"<bdi>number (\d+)</bdi>", text)]
        older = re.search(r'href="([^"]+)">Older events', text)
        path = html.unescape(older.group(1)) if older else None

    assert seen == list(range(230, 0, -1))


def test_windows_of_coverage_are_paged_without_loss(site, connect):
    """The twelve newest windows are shown first, the others after "Older windows"."""
    client = connect()
    first = client.get(f"/llmmon/coverage?deployment={SURVEY}").text
    older = re.search(r'href="([^"]+)">Older windows', first)
    assert older
    second = client.get(html.unescape(older.group(1))).text

    starts = [re.findall(r'rowgroup" colspan="10">([^<]+?) to ', text) for text in (first, second)]
    assert [len(found) for found in starts] == [12, 2]
    assert len({*starts[0], *starts[1]}) == 14
