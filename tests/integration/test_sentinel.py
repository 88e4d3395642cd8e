"""The demo model behind its real server gets a system prompt in front, and the sentinel tells, through every stage."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx

from llmmon.demo.endpoint import endpoint_command, endpoint_environment
from llmmon.model import Window
from llmmon.pipeline.run_windows import run_windows

TOML = """
[sources.logs]
read = {{type = "openai_jsonl", path = "${{here}}/*.jsonl"}}
gate = {{max_bad_fraction = 1.0}}
[backends.serving]
type = "openai_compatible"
base_url = "http://127.0.0.1:{port}/v1"
model = "demo"
[deployments.assistant]
source = "logs"
reference_windows = 4
[deployments.assistant.sentinel]
backend = "serving"
samples = 2
max_tokens = 3
max_late_hours = 1e6
usd_per_million_tokens = {{input = 0.15, output = 0.60}}
[deployments.assistant.monitors.text]
metric = "probe_mmd"
min_effect = 0.01
[deployments.assistant.monitors.numbers]
metric = "probe_logprob_gap"
min_effect = 0.05
"""


@contextmanager
def serving(port: int, folder: Path, *options: str) -> Iterator[None]:
    """Serve the demo model on `port` inside the block."""
    with (folder / "serve.log").open("a") as output:
        server = subprocess.Popen(
            [*endpoint_command(port), *options],
            env={**os.environ, **endpoint_environment()},
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + 300
        while True:
            assert server.poll() is None, (folder / "serve.log").read_text()
            assert time.monotonic() < deadline, (folder / "serve.log").read_text()
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.5)
        yield
    finally:
        server.terminate()
        server.wait(30)


def test_a_system_prompt_put_before_every_request_is_an_alert(database, config, jsonl, line, tmp_path):
    """Five windows of the demo model are quiet; in the three with a system prompt the log-probabilities alarm."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    jsonl([line(hour, timestamp=f"2023-06-27T{5 + hour:02}:00:00Z") for hour in range(9)])
    settings = config(TOML.format(port=port))
    first = Window.parse("2023-06-27T05:00:00", hours=1)
    windows = list(Window(start=first.start, end=first.start + timedelta(hours=8)).split(timedelta(hours=1)))

    def run(part):
        result = run_windows(database, settings, part, resolve=lambda name: None)
        assert result.replay_failures == ()

    def told(query):
        with database.transaction() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query).all()]

    with serving(port, tmp_path):
        run(windows[:5])
    assert told("SELECT monitor FROM llmmon.alert") == []
    with serving(port, tmp_path, "--system-prompt", "You are a helpful assistant."):
        run(windows[5:])

    assert told("SELECT monitor FROM llmmon.alert") == [("numbers",)]
    seen = told(
        "SELECT n_probes, n_failed, served_as, logprob_from_earlier, text_from_earlier, cost_usd"
        "  FROM compliance.endpoint_identity ORDER BY window_start"
    )
    assert {row[:3] for row in seen} == {(32, 0, "demo")}
    assert all(row[3] < 1e-3 for row in seen[:5])
    assert all(row[3] > 0.3 for row in seen[5:])
    assert all(row[4] is not None and row[5] > 0 for row in seen)
