"""Airflow on one machine: API server, scheduler, DAG processor and triggerer as four processes on 127.0.0.1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx

from llmmon.embedded import home as stack_home
from llmmon.embedded import processes
from llmmon.embedded.postgres import require_free_port
from llmmon.errors import EmbeddedStackError

COMPONENTS: Final = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer"],
}
_READY_SECONDS: Final = 180


@dataclass(frozen=True, slots=True)
class AirflowStack:
    """Airflow over one stack's home.

    Parameters
    ----------
    home : Path
        Folder of the stack.
    checkout : Path
        Folder that holds ``dags/`` and ``plugins/``.
    config_path : Path
        The llmmon.toml that the DAGs read.
    """

    home: Path
    checkout: Path
    config_path: Path

    @property
    def url(self) -> str:
        """Address of the API server and the UI."""
        return f"http://127.0.0.1:{stack_home.port('airflow', 8080)}"

    def environment(self) -> dict[str, str]:
        """Return the environment in which every Airflow process runs."""
        secrets = stack_home.secrets(self.home)
        port = stack_home.port("airflow", 8080)
        settings = {
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": "4",
            "CORE__DAGS_FOLDER": str(self.checkout / "dags"),
            "CORE__PLUGINS_FOLDER": str(self.checkout / "plugins"),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__FERNET_KEY": secrets["fernet_key"],
            "CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "airflow" / "passwords.json"),
            "API__HOST": "127.0.0.1",
            "API__PORT": str(port),
            "API__WORKERS": "1",
            "API__BASE_URL": self.url,
            "API__SECRET_KEY": secrets["api_secret_key"],
            "API_AUTH__JWT_SECRET": secrets["jwt_secret"],
            "DATABASE__SQL_ALCHEMY_CONN": _airflow_url(stack_home.url(self.home, "airflow", "airflow")),
            "DATABASE__EXTERNAL_DB_MANAGERS": "llmmon_airflow.db_manager.LlmmonDBManager",
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
            "DAG_PROCESSOR__REFRESH_INTERVAL": "300",
            # on a busy machine the API server may take its time
            "WORKERS__EXECUTION_API_TIMEOUT": "30",
            # a task whose process was killed is noticed within a minute and tried again
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "40",
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "10",
            "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
            "LOGGING__WORKER_LOG_SERVER_PORT": str(port + 713),
            "LOGGING__TRIGGER_LOG_SERVER_PORT": str(port + 714),
            "USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        return {
            **os.environ,
            **{f"AIRFLOW__{key}": value for key, value in settings.items()},
            "AIRFLOW_HOME": str(self.home / "airflow"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": str(self.checkout / "plugins"),
            "LLMMON_CONFIG": str(self.config_path),
            "LLMMON_HOME": str(self.home),
            "LLMMON_UI_URL": f"{self.url}/plugin/llmmon",
            "LLMMON_DATABASE_URL": stack_home.url(self.home, "llmmon_app", "llmmon"),
            "LLMMON_PRIVACY_KEY": secrets["privacy_key"],
            "DO_NOT_TRACK": "1",
            "GX_ANALYTICS_ENABLED": "false",
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            # one task, one core: several tasks run at once on a small machine
            "OMP_NUM_THREADS": "1",
        }

    def migrate(self) -> None:
        """Bring Airflow's metadata and llmmon's schema forward, as their owners."""
        folder = self.home / "airflow"
        folder.mkdir(parents=True, exist_ok=True)
        secrets = stack_home.secrets(self.home)
        passwords = folder / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({user: secrets[user] for user in ("admin", "viewer")}), "utf-8")
        self._airflow("db", "migrate")

    def start(self, extra: Mapping[str, str]) -> None:
        """Start the four processes and wait until the API answers; `extra` joins their environment.

        Raises
        ------
        EmbeddedStackError
            When the port is taken or a process does not come up.
        """
        if not processes.is_running(self.home, "api-server"):
            require_free_port(stack_home.port("airflow", 8080), "Airflow's API server", "LLMMON_AIRFLOW_PORT")
        environment = {**self.environment(), **extra}
        for name, command in COMPONENTS.items():
            processes.start(self.home, name, [self._program, *command], environment=environment)
        for name, seconds in (("api-server", _READY_SECONDS), ("scheduler", _READY_SECONDS)):
            ready = self._is_up if name == "api-server" else self._is_scheduling
            processes.wait_until(self.home, name, ready, seconds=seconds, what=f"Airflow's {name}")
        # without a GPU a replay keeps one core busy
        pool = {"name": "gpu", "slots": os.cpu_count() or 1, "description": "Replays that run at the same time"}
        answer = self._request("POST", "/api/v2/pools", pool)
        if answer.status_code not in (201, 409):  # 409: it is there from an earlier start
            raise EmbeddedStackError(f"Airflow refused the pool gpu: {answer.status_code} {answer.text}")

    def backfill(self, dag: str, start: datetime, end: datetime) -> None:
        """Ask for the windows whose partition lies in ``[start, end]``; those that have a run already stay as they are.

        Raises
        ------
        EmbeddedStackError
            When Airflow refuses.
        """
        request = {
            "dag_id": dag,
            "from_date": start.isoformat(),
            "to_date": end.isoformat(),
            "max_active_runs": 4,
            "reprocess_behavior": "failed",
        }
        answer = self._request("POST", "/api/v2/backfills", request)
        if answer.status_code not in (200, 409):  # 409: an earlier one is still at work
            raise EmbeddedStackError(f"Airflow refused the backfill of {dag}: {answer.status_code} {answer.text}")

    def trigger(self, dag: str) -> None:
        """Run `dag` now.

        Raises
        ------
        EmbeddedStackError
            When Airflow refuses.
        """
        answer = self._request("POST", f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None})
        if answer.status_code != 200:
            raise EmbeddedStackError(f"Airflow refused to run {dag}: {answer.status_code} {answer.text}")

    def is_stuck(self) -> bool:
        """Return whether tasks are queued and none runs, as when kill -9 hit the process that hands them out."""
        tasks = "/api/v2/dags/~/dagRuns/~/taskInstances?limit=1&state="
        queued, running = (self._request("GET", f"{tasks}{state}").json() for state in ("queued", "running"))
        return bool(queued["total_entries"]) and not running["total_entries"]

    def dags(self) -> set[str]:
        """Return the names of the DAGs that Airflow has parsed."""
        return {dag["dag_id"] for dag in self._request("GET", "/api/v2/dags?limit=100").json()["dags"]}

    @property
    def _program(self) -> str:
        return str(Path(sys.executable).parent / "airflow")

    def _airflow(self, *arguments: str) -> None:
        environment = {
            **self.environment(),
            "LLMMON_DATABASE_URL": stack_home.url(self.home, "postgres", "llmmon"),
        }
        ran = subprocess.run([self._program, *arguments], env=environment, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise EmbeddedStackError(
                f"airflow {' '.join(arguments)} failed: {(ran.stderr or ran.stdout).strip()[-2000:]}"
            )

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        login = {"username": "admin", "password": stack_home.secrets(self.home)["admin"]}
        for patience in (3, 10, 0):
            try:
                with httpx.Client(base_url=self.url, timeout=60) as client:
                    token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
                    return client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
            except httpx.HTTPError as error:
                refused = error
                time.sleep(patience)
        raise EmbeddedStackError(
            f"Airflow's API server does not answer {method} {path}: {refused}; its log is "
            f"{processes.log_file(self.home, 'api-server')}"
        )

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"{self.url}/api/v2/version", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def _is_scheduling(self) -> bool:
        try:
            health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
        except (httpx.TransportError, ValueError):
            return False
        return all(health.get(part, {}).get("status") == "healthy" for part in ("scheduler", "dag_processor"))


def _airflow_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)
