"""docker-compose.yml: valid, safe, and every service's command comes up healthy as a process on this machine."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmmon.audit.checkpoint import SigningKey
from llmmon.store.scratch import scratch_server

CHECKOUT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SECRETS = (
    *("POSTGRES_PASSWORD", "LLMMON_APP_PASSWORD", "LLMMON_PRIVACY_KEY"),
    *("AIRFLOW_JWT_SECRET", "AIRFLOW_API_SECRET_KEY", "LLMMON_SEALER_PASSWORD", "LLMMON_ANCHORER_PASSWORD"),
)
FERNET_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
READY_SECONDS = 240
TWO_CHANNELS = """
[channels.vault]
type = "folder"
path = "${here}/vault"
[channels.log]
type = "log"
[deliver]
vault = 0
log = 0
"""


def config(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Return what docker-compose makes of the file, with every profile on."""
    profiles = [word for name in ("gpu", "mail", "anchorer") for word in ("--profile", name)]
    command = ["docker-compose", "--env-file", ".env.example", *profiles, "config"]
    path = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        command, cwd=CHECKOUT, env={**path, **environment}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Return the services, all secrets given."""
    given = {name: f"{name.lower()}-{'x' * 64}" for name in SECRETS} | {"AIRFLOW_FERNET_KEY": FERNET_KEY}
    ran = config(given)
    assert ran.returncode == 0, ran.stderr
    return yaml.safe_load(ran.stdout)["services"]


@pytest.mark.parametrize("missing", [*SECRETS, "AIRFLOW_FERNET_KEY"])
def test_compose_refuses_to_start_without_a_secret(missing: str) -> None:
    """A secret that is not set is an error that says where to set it; there is no default."""
    given = {name: "x" for name in (*SECRETS, "AIRFLOW_FERNET_KEY") if name != missing}
    ran = config(given)
    assert ran.returncode != 0
    assert ".env" in ran.stderr


def test_every_service_is_pinned_healthy_and_unprivileged(services: dict[str, Any]) -> None:
    """Images carry a version, every lasting service has a healthcheck, and ours run as a user without privileges."""
    assert set(services) == {
        *("postgres", "redis", "mail", "migrate", "api-server", "scheduler"),
        *("dag-processor", "triggerer", "worker", "gpu-worker", "sealer", "anchorer"),
    }
    for name, service in services.items():
        assert re.search(r":v?\d+\.\d+", service["image"]), name
        if name != "migrate":
            assert service["healthcheck"]["test"], name
        if service["image"].startswith("llmmon"):
            # whoever operates the pipeline must not be who signs the heads of its audit trail
            assert service["user"] == ("50001:50001" if name == "anchorer" else "50000:50000"), name
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
        assert all(port.startswith("127.0.0.1:") for port in map(str, service.get("ports", ()))), name


def test_the_gpu_worker_reserves_a_device_and_takes_the_gpu_queue_alone(services: dict[str, Any]) -> None:
    """One NVIDIA device, the queue ``gpu``, one task at a time."""
    worker = services["gpu-worker"]
    [device] = worker["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", 1, ["gpu"])
    assert worker["command"][:2] == ["celery", "worker"]
    assert worker["command"][2:] == ["--queues", "gpu", "--concurrency", "1"]


@pytest.mark.e2e
def test_every_service_comes_up_healthy(services: dict[str, Any], tmp_path: Path) -> None:
    """Each service's own command and healthcheck succeed as local processes over a real Postgres and a real Redis."""
    ports = {name: free_port() for name in ("postgres", "redis", "api", "scheduler", "log1", "log2", "log3")}
    places = {
        "postgres:5432": f"127.0.0.1:{ports['postgres']}",
        "redis:6379": f"127.0.0.1:{ports['redis']}",
        "api-server:8080": f"127.0.0.1:{ports['api']}",
        "localhost:8080": f"127.0.0.1:{ports['api']}",
        "localhost:8974": f"127.0.0.1:{ports['scheduler']}",
        "0.0.0.0": "127.0.0.1",
        "/opt/airflow/dags": str(CHECKOUT / "dags"),
        "/opt/airflow/plugins": str(CHECKOUT / "plugins"),
        "/opt/airflow": str(tmp_path),
        "/anchorer/": f"{tmp_path}/anchorer/",
    }

    def local(text: str) -> str:
        for place, here in places.items():
            text = text.replace(place, here)
        return str(ports["api"]) if text == "8080" else text.replace("$$", "$")

    def environment(name: str) -> dict[str, str]:
        given = {key: local(str(value)) for key, value in services[name]["environment"].items()}
        return {
            **{key: local(value) for key, value in image_environment().items()},
            **given,
            "AIRFLOW_HOME": str(tmp_path / f"home-{name}"),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(ports["scheduler"]),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(ports["log2" if name == "gpu-worker" else "log1"]),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(ports["log3"]),
            "HOSTNAME": name if name.endswith("worker") else socket.gethostname(),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
        }

    def command(name: str) -> list[str]:
        parts = [*services[name].get("entrypoint", ["airflow"]), *services[name]["command"]]
        # two workers on one machine need names of their own
        return [local(part) for part in parts] + (
            ["--celery-hostname", f"celery@{name}"] if name.endswith("worker") else []
        )

    lasting = ("api-server", "scheduler", "dag-processor", "triggerer", "worker", "gpu-worker", "sealer", "anchorer")
    (tmp_path / "anchorer").mkdir()
    (tmp_path / "anchorer" / "key").write_text(SigningKey.generate("example.com/llmmon").encoded, "utf-8")
    (tmp_path / "anchorer" / "anchorer.toml").write_text(TWO_CHANNELS, "utf-8")
    server = scratch_server(listen_addresses="127.0.0.1", port=str(ports["postgres"]))
    with (
        server,
        running(services["redis"]["command"], "--port", str(ports["redis"]), where=tmp_path),
        ExitStack() as up,
    ):
        prepare(services["postgres"], ports["postgres"])
        migrated = subprocess.run(
            command("migrate"), env=environment("migrate"), capture_output=True, text=True, check=False
        )
        assert migrated.returncode == 0, (migrated.stdout + migrated.stderr)[-4000:]
        started = {
            name: up.enter_context(running(command(name), where=tmp_path, environment=environment(name), log=name))
            for name in lasting
        }
        end = time.monotonic() + READY_SECONDS
        for name in lasting:
            kind, *check = [local(part) for part in services[name]["healthcheck"]["test"]]
            check = check if kind == "CMD" else ["sh", "-c", *check]
            while not healthy(check, environment(name)):
                alive = started[name].poll() is None and time.monotonic() < end
                assert alive, f"{name}: {(tmp_path / f'{name}.log').read_text()[-4000:]}"


def healthy(check: list[str], environment: dict[str, str]) -> bool:
    """Run a healthcheck as Docker does."""
    time.sleep(0.5)
    return subprocess.run(check, env=environment, capture_output=True, check=False).returncode == 0


def prepare(postgres: dict[str, Any], port: int) -> None:
    """Do what the Postgres image does on an empty volume: the superuser, its database, the init script."""
    from sqlalchemy import create_engine

    given = postgres["environment"]
    engine = create_engine(f"postgresql+psycopg2://postgres@127.0.0.1:{port}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {given['POSTGRES_USER']} SUPERUSER LOGIN")
        connection.exec_driver_sql(f"CREATE DATABASE {given['POSTGRES_DB']} OWNER {given['POSTGRES_USER']}")
    engine.dispose()
    script = CHECKOUT / "docker" / "create-llmmon.sql"
    url = f"postgresql://{given['POSTGRES_USER']}@127.0.0.1:{port}/{given['POSTGRES_DB']}"
    environment = {**os.environ, **{name: text for name, text in given.items() if name.startswith("LLMMON_")}}
    subprocess.run(["psql", url, "-v", "ON_ERROR_STOP=1", "-f", script], env=environment, check=True)


def image_environment() -> dict[str, str]:
    """Return the variables that the Dockerfile sets in its last stage."""
    text = (CHECKOUT / "Dockerfile").read_text("utf-8").split("\nFROM ")[-1].replace("\\\n", " ")
    lines = re.findall(r"^ENV (.*)$", text, flags=re.MULTILINE)
    return dict(part.split("=", 1) for line in lines for part in shlex.split(line))


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: list[str], *more: str, where: Path, environment: dict[str, str] | None = None, log: str = "redis"
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a session of its own for the length of the block."""
    with (where / f"{log}.log").open("wb") as output:
        process = subprocess.Popen(
            [*command, *more], cwd=where, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
