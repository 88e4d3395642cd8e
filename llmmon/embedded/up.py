"""``llmmon up`` and ``llmmon down``: the whole of llmmon on one machine."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console

from llmmon.config import Config, load_config
from llmmon.demo.endpoint import endpoint_command, endpoint_environment
from llmmon.embedded import home as stack_home
from llmmon.embedded import processes
from llmmon.embedded.airflow_stack import AirflowStack
from llmmon.embedded.ledger import start_ledger
from llmmon.embedded.postgres import Postgres, require_free_port
from llmmon.embedded.watch import follow, tell
from llmmon.errors import ConfigError
from llmmon.store.database import Database
from llmmon.store.grants import check_grants
from llmmon.store.migrate import upgrade
from llmmon.store.roles import GroupRole, create_login

_DAGS: Final = {
    *("ingest", "replay", "sentinel", "measure", "alert"),
    *("maintain", "report", "roll_up", "certify", "review", "stereotypes"),
}
_LOGINS: Final[dict[str, GroupRole]] = {
    "llmmon_app": "llmmon_writer",
    "auditor": "llmmon_auditor",
    "analyst": "llmmon_analyst",
    "sealer": "llmmon_sealer",
    "anchorer": "llmmon_anchorer",
    "eraser": "llmmon_eraser",
}


def up(config_path: Path, *, detach: bool = False) -> None:
    """Start everything, take the deployments' windows through the DAGs, tell what was found, and stay until Ctrl-C.

    Whatever runs already is left running; whatever was killed is started again. Deployments with a beginning and an
    end, such as the demo's, are backfilled; for others the DAGs wait for the next window.

    Parameters
    ----------
    detach : bool
        Return at the end instead of staying, and leave everything running.

    Raises
    ------
    ConfigError, EmbeddedStackError
        With what to do about it; what was started is stopped again.
    """
    console = Console(highlight=False, soft_wrap=True)
    config = load_config(config_path)
    home = stack_home.folder()
    checkout = config_path.resolve().parent.parent
    if not (checkout / "plugins").is_dir():
        raise ConfigError(f"{config_path}: `llmmon up` expects it in the folder dags/ of a checkout, beside plugins/")
    started = time.monotonic()
    _stop_on_terminate()
    try:
        database, airflow = _start(console, config, home, AirflowStack(home, checkout, config_path.resolve()))
        if (span := _lifetime(config)) is not None:
            airflow.backfill("ingest", span[0], span[1] - config.window_length)
            follow(console, database, config, airflow, since=started)
        tell(console, database, airflow, home)
        if detach:
            console.print("Everything goes on running; `make down` stops it.")
            return
    except BaseException:
        _stop(console)
        raise
    try:
        console.print("Ctrl-C stops everything.")
        while processes.names(home):  # until Ctrl-C here, or `llmmon down` elsewhere
            time.sleep(1)
    except KeyboardInterrupt:
        _stop(console)
    console.print("Stopped.")


def down() -> None:
    """Stop what `up` started, Postgres last, and nothing else."""
    home = stack_home.folder()
    processes.stop(home, *(name for name in processes.names(home) if name != "postgres"))
    processes.stop(home, "postgres", how=signal.SIGINT)
    processes.sweep(home)


def _start(console: Console, config: Config, home: Path, airflow: AirflowStack) -> tuple[Database, AirflowStack]:
    step = _steps(console)
    processes.sweep(home)
    secrets = stack_home.secrets(home)
    server = Postgres(home, port=stack_home.port("postgres", 5439), password=secrets["postgres"])
    with step("PostgreSQL 18"):
        server.start()
    with step("schemas"):
        server.create_database("llmmon")
        owner = stack_home.url(home, "postgres", "llmmon")
        upgrade(owner)
        admin = Database(owner)
        with admin.transaction() as connection:
            for login, group in _LOGINS.items():
                create_login(connection, login, secrets[login], member_of=group)
            create_login(connection, "airflow", secrets["airflow"], member_of=None)
        check_grants(admin)
        admin.engine.dispose()
        server.create_database("airflow", owner="airflow")
        airflow.migrate()
    with step("demo inbox and demo model"):
        extra = _start_helpers(config, home, airflow.environment())
    start_ledger(home, extra)
    with step("Airflow"):
        airflow.start(extra)
        processes.wait_until(
            home, "dag-processor", lambda: airflow.dags() >= _DAGS, seconds=180, what="the DAGs, parsed by Airflow,"
        )
    if "endpoint" in processes.names(home):
        with step("demo model served"):
            processes.wait_until(home, "endpoint", _is_serving, seconds=180, what="the demo's model server")
    return Database(stack_home.url(home, "llmmon_app", "llmmon")), airflow


def _start_helpers(config: Config, home: Path, environment: dict[str, str]) -> dict[str, str]:
    """Start the inbox and the endpoint of the demo where the configuration uses them; return their connections."""
    inbox = home / "inbox"
    http, smtp = stack_home.port("inbox", 8766), stack_home.port("smtp", 8767)
    named = {plugin.parameters.get("connection") for plugin in (*config.channels.values(), *config.backends.values())}
    extra: dict[str, Any] = {}
    if named & {"llmmon_slack", "llmmon_smtp"} and "AIRFLOW_CONN_LLMMON_SLACK" not in os.environ:
        if not processes.is_running(home, "inbox"):
            require_free_port(http, "the demo's webhook", "LLMMON_INBOX_PORT")
            require_free_port(smtp, "the demo's mail server", "LLMMON_SMTP_PORT")
        ports = ["--http-port", str(http), "--smtp-port", str(smtp)]
        command = [sys.executable, "-m", "llmmon.embedded.inbox", "--folder", str(inbox), *ports]
        processes.start(home, "inbox", command)
        extra["LLMMON_SLACK"] = {
            "conn_type": "slackwebhook",
            "host": f"http://127.0.0.1:{http}/services",
            "password": "T000/B000/DEMO",
        }
        options = {"from_email": "llmmon@example.com", "disable_ssl": True, "disable_tls": True}
        extra["LLMMON_SMTP"] = {"conn_type": "smtp", "host": "127.0.0.1", "port": smtp, "extra": options}
    if "llmmon_endpoint" in named and "LLMMON_DEMO_ENDPOINT" not in os.environ:
        port = stack_home.port("endpoint", 8765)
        if not processes.is_running(home, "endpoint"):
            require_free_port(port, "the demo's model server", "LLMMON_ENDPOINT_PORT")
        processes.start(home, "endpoint", endpoint_command(port), environment={**environment, **endpoint_environment()})
        extra["LLMMON_ENDPOINT"] = {"conn_type": "http", "host": "127.0.0.1", "port": port, "password": "demo"}
        return {**_variables(extra), "LLMMON_DEMO_ENDPOINT": f"http://127.0.0.1:{port}/v1"}
    return _variables(extra)


def _is_serving() -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{stack_home.port('endpoint', 8765)}/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _variables(connections: dict[str, Any]) -> dict[str, str]:
    return {f"AIRFLOW_CONN_{name}": json.dumps(value) for name, value in connections.items()}


def _lifetime(config: Config) -> tuple[datetime, datetime] | None:
    lives = [(item.active_from, item.active_until) for item in config.deployments.values()]
    if not lives or any(start is None or end is None for start, end in lives):
        return None
    return min(start for start, _ in lives if start), max(end for _, end in lives if end)


def _steps(console: Console) -> Callable[[str], Any]:
    @contextmanager
    def step(name: str) -> Iterator[None]:
        began = time.monotonic()
        with console.status(name):
            yield
        console.print(f"{name}: {time.monotonic() - began:.1f} s")

    return step


def _stop(console: Console) -> None:
    for impatient in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(impatient, signal.SIG_IGN)  # a second Ctrl-C would leave half of it running
    console.print("stopping ...")
    down()
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _stop_on_terminate() -> None:
    def stop(_signal: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)  # also where a shell started this in the background and had it ignored
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
