"""The whole stack with the real scheduler: kill -9 of its parts on the way, the same tables at the end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from llmmon.store.database import Database
from tests.conftest import as_bytes, make_line

CHECKOUT = Path(__file__).parents[2]
HOURS = 2
TASK = re.compile(r"airflow worker -- [0-9a-f]{8}-")
TOML = """
ui_url = "${LLMMON_UI_URL:-http://127.0.0.1/llmmon}"
[retention]
request_log_days = 36500
[sources.logs]
read = {type = "openai_jsonl", path = "${here}/logs.jsonl"}
[backends]
reference = {type = "transformers", model = "MODEL", max_new_tokens = 4}
[channels]
slack = {type = "slack_webhook", connection = "llmmon_slack"}
email = {type = "email", connection = "llmmon_smtp", to = ["on-call@example.com"]}
[deployments.assistant]
source = "logs"
active_from = 2023-06-27T05:00:00Z
active_until = 2023-06-27T07:00:00Z
reference_windows = 3
sample = {per_window = 2}
lanes = {reference = {backend = "reference"}}
[deployments.assistant.scorers]
words = {judge = "length", lanes = ["logged", "reference"]}
[deployments.assistant.monitors.slow]
metric = {type = "latency_quantile", quantile = 0.5}
detector = {type = "slo_threshold", limit = 500, worse = "above"}
min_effect = 100
[deployments.assistant.monitors.answer-length]
metric = {type = "score_mean", scorer = "words"}
min_effect = 100
"""
# what must not depend on what was killed when; ids and wall-clock times do
FINAL_TABLES = {
    "coverage": "SELECT deployment, window_start, stage, state, reason, n, probability FROM llmmon.coverage",
    "stages": "SELECT deployment, window_start, stage, state, n_requests FROM llmmon.window_stage",
    "requests": "SELECT request_id, occurred_at, digest FROM llmmon.request_log",
    "samples": "SELECT request_id, stratum, probability FROM llmmon.sample "
    "JOIN llmmon.request_identity USING (request_key)",
    "responses": "SELECT request_id, lane, variant, repeat, state, encode(content, 'escape') FROM llmmon.response "
    "JOIN llmmon.request_identity USING (request_key)",
    "scores": "SELECT request_id, lane, variant, repeat, scorer, value FROM llmmon.score "
    "JOIN llmmon.request_identity USING (request_key)",
    "measurements": "SELECT monitor, segment, window_start, value, low, high, n FROM llmmon.measurement_latest",
    "alerts": "SELECT dedupe_key, monitor, segment, window_start, severity, value FROM llmmon.alert",
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder like a checkout: the DAG files, the plug-in, a small llmmon.toml and its log."""
    folder = tmp_path_factory.mktemp("stack")
    shutil.copytree(CHECKOUT / "dags", folder / "dags", ignore=shutil.ignore_patterns("__pycache__", "*.toml"))
    (folder / "plugins").symlink_to(CHECKOUT / "plugins")
    model = CHECKOUT / "llmmon" / "demo" / "model"
    (folder / "dags" / "llmmon.toml").write_text(TOML.replace("MODEL", str(model)))
    lines = [
        make_line(
            index * 3600 // 40, id=f"req-{index}", latency_ms=100.0 + index % 40 if index < 40 else 2000.0 + index
        )
        for index in range(HOURS * 40)
    ]
    (folder / "dags" / "logs.jsonl").write_bytes(b"".join(as_bytes(line) + b"\n" for line in lines))
    return folder


@pytest.fixture(scope="module")
def environment(checkout: Path) -> Iterator[dict[str, str]]:
    """Yield the environment of a stack of its own, and stop the stack at the end."""
    names = ("AIRFLOW", "POSTGRES", "ENDPOINT", "INBOX", "SMTP")
    ports = {f"LLMMON_{name}_PORT": str(port) for name, port in zip(names, free_ports(len(names)), strict=True)}
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "LLMMON"))}
    given = {**kept, **ports, "LLMMON_HOME": str(checkout / "home"), "CI": "true"}
    yield given
    subprocess.run(llmmon("down"), env=given, check=True)


def free_ports(n: int) -> list[int]:
    """Return ports that nothing listens on."""
    probes = [socket.socket() for _ in range(n)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def llmmon(*arguments: str) -> list[str]:
    """Return the command line of `llmmon`."""
    return [str(Path(sys.executable).parent / "llmmon"), *arguments]


def store(environment: dict[str, str]) -> Database:
    """Return the stack's database as its owner."""
    password = json.loads(Path(environment["LLMMON_HOME"], "secrets.json").read_text())["postgres"]
    return Database(f"postgresql://postgres:{password}@127.0.0.1:{environment['LLMMON_POSTGRES_PORT']}/llmmon")


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query, sorted, so that two databases can be compared."""
    with database.transaction() as connection:
        found = connection.exec_driver_sql(query).all()
    return sorted((tuple(row) for row in found), key=repr)


def wait_for(ready: Callable[[], bool], up: subprocess.Popen[str], *, seconds: int = 240) -> None:
    """Wait for something that happens while `up` runs."""
    end = time.monotonic() + seconds
    while not ready():
        assert up.poll() is None, up.communicate()[0]
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.2)


def children(environment: dict[str, str], name: str) -> Sequence[psutil.Process]:
    """Return the process called `name` and all below it."""
    record = json.loads(Path(environment["LLMMON_HOME"], "run", f"{name}.json").read_text())
    process = psutil.Process(record["pid"])
    return [process, *process.children(recursive=True)]


def tasks(environment: dict[str, str]) -> list[psutil.Process]:
    """Return the processes that run a task now."""
    return [found for found in children(environment, "scheduler") if TASK.search(command_of(found))]


def command_of(process: psutil.Process) -> str:
    """Return a process's command line, empty when it has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # also the parent of ZombieProcess
        return ""


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_killed_parts_converge_to_the_same_tables(
    checkout: Path, environment: dict[str, str], database: Database, tmp_path: Path
) -> None:
    """Ctrl-C leaves no process; after kill -9 of a task, Postgres and the scheduler, ``up`` ends as undisturbed."""
    config = str(checkout / "dags" / "llmmon.toml")
    command = llmmon("up", "--detach", "--config", config)

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def n_done(stage: str) -> int:
        record = Path(environment["LLMMON_HOME"], "run", "dag-processor.json")
        if not record.exists():
            return 0
        opened = store(environment)
        try:
            return len(rows(opened, f"SELECT 1 FROM llmmon.window_stage WHERE stage = '{stage}' AND state = 'done'"))
        finally:
            opened.engine.dispose()

    interrupted = start()
    wait_for(lambda: Path(environment["LLMMON_HOME"], "run", "scheduler.json").exists(), interrupted)
    interrupted.send_signal(signal.SIGINT)
    told, _ = interrupted.communicate(timeout=120)
    assert interrupted.returncode == 130, told
    assert not any(belongs(found, environment["LLMMON_HOME"]) for found in psutil.process_iter())

    first = start()
    wait_for(lambda: n_done("ingest") > 0 and bool(tasks(environment)), first)
    tasks(environment)[0].kill()
    wait_for(lambda: n_done("sample") > 0, first)
    children(environment, "postgres")[0].kill()
    children(environment, "scheduler")[0].kill()
    told, _ = first.communicate(timeout=120)
    assert first.returncode != 0, told
    assert "make up" in told

    second = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert second.returncode == 0, second.stdout[-4000:]
    assert "Alerts (1):" in second.stdout

    undisturbed = database.url.render_as_string(hide_password=False)
    connections = {
        f"AIRFLOW_CONN_LLMMON_{name}": '{"host": "http://127.0.0.1:9", "port": 9}' for name in ("SLACK", "SMTP")
    }
    subprocess.run(
        llmmon("run", "--config", config, "--database", undisturbed, "--window", "2023-06-27T05:00/2023-06-27T07:00"),
        env={**environment, **connections, "LLMMON_PRIVACY_KEY": "another key: the log names no user to seal for"},
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    disturbed = store(environment)
    for name, query in FINAL_TABLES.items():
        assert rows(disturbed, query) == rows(database, query), name
        assert rows(disturbed, query), name
    assert rows(disturbed, "SELECT state, count(*) FROM llmmon.delivery GROUP BY 1") == [("sent", 2)]
    kinds = sorted(path.name.split("-")[1] for path in Path(environment["LLMMON_HOME"], "inbox").iterdir())
    assert kinds == ["email.eml", "email.eml", "slack.json"]  # the alert twice, and a signed head for the auditor
    verified = subprocess.run(
        llmmon(
            "audit",
            "verify",
            "--depth",
            "requests",
            "--json",
            "--heads",
            f"{environment['LLMMON_HOME']}/anchorer/heads",
        ),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr
    verdict = json.loads(verified.stdout)
    assert verdict["holds"]
    assert verdict["n_heads"] > 0
    assert verdict["n_requests"] == HOURS * 40
    disturbed.engine.dispose()

    subprocess.run(llmmon("down"), env=environment, check=True)
    assert [found for found in psutil.process_iter() if belongs(found, environment["LLMMON_HOME"])] == []


def belongs(process: psutil.Process, home: str) -> bool:
    """Return whether a process was started by the stack of this home and still runs."""
    try:
        return process.environ().get("LLMMON_HOME") == home and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.AccessDenied, psutil.NoSuchProcess, OSError):
        return False
