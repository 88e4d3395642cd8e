"""Planted personal data is in no task log, no XCom, no alert and nowhere else that Airflow keeps."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from llmmon.config import Config
from llmmon.store.database import Database
from tests.canaries import found, planted_log
from tests.dags.conftest import HERE
from tests.integration.replay.conftest import ChatServer, answer, status

WINDOW = "2023-06-27T05:00:00"
DEPLOYMENT = """
[sources.logs]
read = {{type = "openai_jsonl", path = "${{here}}/logs.jsonl"}}
gate = {{max_bad_fraction = 1.0, max_null_fraction = {{}}}}
[backends.served]
type = "openai_compatible"
base_url = "{backend}"
model = "served"
max_attempts = 1
[channels]
slack = {{type = "slack_webhook", connection = "llmmon_slack"}}
[deployments.assistant]
source = "logs"
active_from = 2023-06-27T05:00:00Z
active_until = 2023-06-27T06:00:00Z
sample = {{per_window = 60, strata = ["status"]}}
[deployments.assistant.lanes.serving]
backend = "served"
variants = ["as_logged", "typo"]
[deployments.assistant.scorers]
right = {{judge = "correctness", lanes = ["logged", "serving"]}}
[deployments.assistant.monitors.slow]
metric = {{type = "latency_quantile", quantile = 0.5}}
segments = ["group.contact"]
detector = {{type = "slo_threshold", limit = 50, worse = "above"}}
min_effect = 1
channels = ["slack"]
[retention]
request_log_days = 36500
"""


def test_airflow_keeps_no_canary(
    airflow_environment: dict[str, str],
    config: Callable[..., Config],
    database: Database,
    tmp_path: Path,
) -> None:
    """Nothing in any file of Airflow's folder, with its database, or in what tasks print, although nothing is redacted.

    Some rows cannot be read, and some replays fail with an error that quotes them; the endpoint is sent canaries, so
    that the search is seen to find what there is.
    """
    served, slack = ChatServer(), ChatServer()
    served.otherwise = lambda handler: (
        status(400, json.dumps({"error": served.requests[-1]["messages"]}))
        if len(served.requests) % 5 == 0
        else answer(served.requests[-1]["messages"][-1]["content"])
    )(handler)
    slack.otherwise = status(200, "ok", "text/plain")
    try:
        where = planted_log(tmp_path)
        config(DEPLOYMENT.format(backend=served.url) + "[privacy]\nredact = []\n")
        home = tmp_path / "airflow"
        environment = {
            **airflow_environment,
            "AIRFLOW_HOME": str(home),
            "LLMMON_DATABASE_URL": database.url.render_as_string(hide_password=False),
            "LLMMON_CONFIG": str(tmp_path / "llmmon.toml"),
            "AIRFLOW_CONN_LLMMON_SLACK": json.dumps(
                {"conn_type": "slackwebhook", "host": slack.url, "password": "T/B/X"}
            ),
        }
        runs = [f"ingest={WINDOW}", f"replay={WINDOW}", f"measure={WINDOW}", "alert", "report"]
        command = [sys.executable, HERE / "run_dags.py", *runs]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, (ran.stdout + ran.stderr)[-6000:]
    finally:
        served.close()
        slack.close()
    ended = json.loads(ran.stdout.strip().splitlines()[-1])["ended"]
    assert {state for tasks in ended.values() for state in tasks.values()} == {"success"}, ended
    with database.transaction() as connection:
        replays = dict(connection.exec_driver_sql("SELECT state, count(*) FROM llmmon.response GROUP BY 1").all())
    assert min(replays["done"], replays["failed"]) > 0
    assert slack.requests
    kept = [path.read_bytes().decode("utf-8", "replace") for path in home.rglob("*") if path.is_file()]
    assert (home / "airflow.db").exists()
    assert found(where, *kept, ran.stdout, ran.stderr) == set()
    assert found(where, json.dumps(served.requests))
