"""A DAG that fails tells the channels, at real sinks."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from llmmon.config import Config
from tests.conftest import SMALL_TOML
from tests.e2e.test_stack import free_ports

CHANNELS = """
[channels]
gone = {type = "slack_webhook", connection = "nowhere"}
slack = {type = "slack_webhook", connection = "llmmon_slack"}
email = {type = "email", connection = "llmmon_smtp", to = ["on-call@example.com"]}
"""


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield the folder of a running inbox, and the connections to it."""
    http, smtp = free_ports(2)
    folder = tmp_path / "inbox"
    ports = ["--http-port", str(http), "--smtp-port", str(smtp)]
    command = [sys.executable, "-m", "llmmon.embedded.inbox", "--folder", str(folder), *ports]
    slack = {"conn_type": "slackwebhook", "host": f"http://127.0.0.1:{http}/services", "password": "T/B/X"}
    options = {"from_email": "llmmon@example.com", "disable_ssl": True, "disable_tls": True}
    mail = {"conn_type": "smtp", "host": "127.0.0.1", "port": smtp, "extra": options}
    connections = {"AIRFLOW_CONN_LLMMON_SLACK": json.dumps(slack), "AIRFLOW_CONN_LLMMON_SMTP": json.dumps(mail)}
    process = subprocess.Popen(command)
    try:
        yield folder, connections
    finally:
        process.terminate()
        process.wait(20)


def test_a_failed_task_is_told_without_its_message(
    airflow: Callable[..., Any],
    config: Callable[..., Config],
    inbox: tuple[Path, dict[str, str]],
    tmp_path: Path,
) -> None:
    """Slack and mail get the task, window and kind of error; a channel that is not set up stops neither."""
    folder, connections = inbox
    config(CHANNELS + SMALL_TOML)
    airflow("notify.py", LLMMON_CONFIG=str(tmp_path / "llmmon.toml"), **connections)
    end = time.monotonic() + 20
    while len(received := sorted(folder.iterdir())) < 2 and time.monotonic() < end:
        time.sleep(0.1)
    texts = {
        path.suffix: json.dumps(json.loads(path.read_text()), ensure_ascii=False)
        if path.suffix == ".json"
        else message_from_bytes(path.read_bytes(), policy=policy.default).get_body(("plain",)).get_content()
        for path in received
    }
    assert set(texts) == {".json", ".eml"}
    for text in texts.values():
        assert "replay.run" in text
        assert "ValueError" in text
        assert "secret" not in text
