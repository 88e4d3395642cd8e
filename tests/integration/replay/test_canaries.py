"""A thousand planted pieces of personal data go through the whole pipeline and come out nowhere."""

from __future__ import annotations

import json
import logging
import subprocess
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy.engine import make_url

from llmmon.channels.base import Connection
from llmmon.cli import main
from llmmon.model import Window
from llmmon.pipeline.render_report import render_report, report_html
from llmmon.pipeline.run_windows import run_windows
from llmmon.privacy.recognizers import TYPES
from llmmon.store.database import Database
from llmmon.store.migrate import upgrade
from llmmon.store.replay import window_responses
from llmmon.store.request_log import window_requests
from llmmon.store.scratch import programs, scratch_server
from llmmon.store.views import compliance_views
from tests.canaries import N_WINDOWS, PLACES, N, found, planted_log, readable
from tests.conftest import EPOCH
from tests.integration.replay.conftest import ChatServer, answer, status

WINDOWS = tuple(Window(start=EPOCH, end=EPOCH + N_WINDOWS * timedelta(hours=1)).split(timedelta(hours=1)))
DEPLOYMENT = """
[sources.logs]
read = {{type = "openai_jsonl", path = "${{here}}/logs.jsonl"}}
max_rows_per_batch = 300
gate = {{max_bad_fraction = 1.0, max_null_fraction = {{}}}}
[backends.served]
type = "openai_compatible"
base_url = "{backend}"
model = "served"
max_attempts = 1
[channels]
slack = {{type = "slack_webhook", connection = "slack"}}
log = "log"
[deployments.assistant]
source = "logs"
reference_windows = 3
sample = {{per_window = 60, strata = ["status"]}}
[deployments.assistant.lanes.serving]
backend = "served"
variants = ["as_logged", "typo"]
[deployments.assistant.scorers]
right = {{judge = "correctness", lanes = ["logged", "serving"]}}
grounded = {{judge = "groundedness", lanes = ["logged", "serving"]}}
pii = {{judge = {{type = "pii", count_redacted = true}}}}
[deployments.assistant.monitors.slow]
metric = {{type = "latency_quantile", quantile = 0.5}}
segments = ["group.contact", "route"]
detector = {{type = "slo_threshold", limit = 50, worse = "above"}}
min_effect = 1
channels = ["slack", "log"]
[deployments.assistant.monitors.errors]
metric = "error_rate"
min_effect = 0.01
[deployments.assistant.monitors.words]
metric = {{type = "text_statistic", statistic = "n_words"}}
min_effect = 1
"""


@pytest.fixture
def slack():
    """Yield a webhook that keeps what is posted."""
    opened = ChatServer()
    opened.otherwise = status(200, "ok", "text/plain")
    yield opened
    opened.close()


@pytest.fixture(params=["redacted", "as logged"])
def through(request, server, slack, config, tmp_path, monkeypatch, caplog):
    """Take the log through every stage, with redaction and without; yield what there is to be searched, by name.

    The endpoint repeats what it is asked, or quotes it in an error. The server logs every statement.
    """
    caplog.set_level(logging.DEBUG)

    def repeat(handler):
        asked = server.requests[-1]["messages"][-1]["content"]
        (status(400, json.dumps({"error": asked})) if len(server.requests) % 5 == 0 else answer(asked))(handler)

    server.otherwise = repeat
    where = planted_log(tmp_path)
    redact = json.dumps(list(TYPES) if request.param == "redacted" else [])
    settings = config(DEPLOYMENT.format(backend=server.url) + f"[privacy]\nredact = {redact}\n")
    with scratch_server(log_statement="all", log_min_messages="info", log_error_verbosity="default") as url:
        upgrade(url)
        database = Database(url)
        hook = Connection(host=slack.url, password="T/B/X")
        result = run_windows(database, settings, None, resolve=lambda _: hook)
        assert result.ingested[0].n_in == N
        for window in WINDOWS:
            assert render_report(database, settings, "assistant", window).is_rendered
        yield request.param, where, _searched(database, server, slack, caplog, monkeypatch, tmp_path)
        database.engine.dispose()


def _searched(database, server, slack, caplog, monkeypatch, folder):
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    tables = subprocess.run(
        [programs() / "pg_dump", "--inserts", url], capture_output=True, text=True, check=True
    ).stdout
    with database.transaction() as connection:
        opened = [
            repr(item)
            for window in WINDOWS
            for item in (
                *window_requests(connection, "assistant", window),
                *window_responses(connection, "assistant", window),
            )
        ]
        n_replays = connection.exec_driver_sql("SELECT state, count(*) FROM llmmon.response GROUP BY 1").all()
        subjects = connection.exec_driver_sql("SELECT user_ref FROM llmmon.subject_key").scalars().all()
        alerts = connection.exec_driver_sql("SELECT count(*) FROM llmmon.alert").scalar_one()
    assert {state for state, _ in n_replays} == {"done", "failed"}
    assert alerts >= 1
    assert len(slack.requests) >= 1
    monkeypatch.setenv("LLMMON_DATABASE_URL", url)
    monkeypatch.setenv("LLMMON_CONFIG", str(folder / "llmmon.toml"))
    commands = [
        ("coverage",),
        ("quarantine", "list"),
        ("sources", "check", "logs", "--rows", str(N)),
        *(("query", name, "--limit", "0") for name in compliance_views()),
        *(("subject", "export", ref, "--json") for ref in subjects[:5]),
    ]
    ran = [CliRunner().invoke(main, ["-v", *command]) for command in commands]
    assert [result.exit_code for result in ran] == [0] * len(ran)
    return {
        "tables": readable(tables),
        "opened": "\n".join(opened),
        "server log": Path(make_url(url).query["host"], "log").read_text("utf-8", "replace"),
        "task logs": caplog.text,
        "reports": "".join(report_html(database, "assistant", window) for window in WINDOWS),
        "alerts": json.dumps(slack.requests, ensure_ascii=False),
        "endpoint": json.dumps(server.requests, ensure_ascii=False),
        "commands": "\n".join(result.output for result in ran),
    }


def test_no_canary_comes_out_anywhere(through):
    """Nothing of 1,000 with redaction; without it, what was planted in texts is found, so the search can find."""
    how, where, searched = through
    seen = {name: found(where, hay) for name, hay in searched.items()}
    told = {name: Counter(where[item] for item in items) for name, items in seen.items() if items}
    if how == "redacted":
        assert told == {}
        return
    readable_places = set(PLACES) - {"user", "broken line", "wrong type", "wrong time"}
    n_readable = sum(place in readable_places for place in where.values())
    everywhere = set().union(*seen.values())
    assert {where[item] for item in everywhere} >= readable_places
    assert len(seen["opened"]) == n_readable
    assert seen["tables"]
    assert seen["server log"]
    assert seen["commands"]
    assert seen["endpoint"]
