"""What ``llmmon up`` shows while the DAGs run, and what it tells at the end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from llmmon.config import Config
from llmmon.embedded import home as stack_home
from llmmon.embedded import processes
from llmmon.embedded.airflow_stack import AirflowStack
from llmmon.embedded.postgres import Postgres
from llmmon.errors import EmbeddedStackError, StoreError
from llmmon.store.database import Database, fetch

_STAGES: Final = ("ingest", "sample", "replay", "score", "measure", "detect")
_QUERIES: Final = (
    "SELECT * FROM compliance.alert_lifecycle;",
    "SELECT * FROM compliance.what_ran_and_what_was_not_looked_at LIMIT 20;",
    "SELECT * FROM compliance.model_and_config_changes;",
)
_PATIENCE_SECONDS: Final = 1800
_NUDGE_SECONDS: Final = 300
_TELL_SECONDS: Final = 30
_STUCK_CHECKS: Final = 4


def follow(console: Console, database: Database, config: Config, airflow: AirflowStack, *, since: float) -> None:
    """Show how far the windows are until every stage has finished them, the outbox is empty and reports are rendered.

    Raises
    ------
    EmbeddedStackError
        When a process of the stack ends, or nothing moves any more for half an hour.
    """
    names = list(config.deployments)
    total = sum(
        (item.active_until - item.active_from) // config.window_length
        for item in config.deployments.values()
        if item.active_from and item.active_until
    )
    columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks = {stage: bars.add_task(stage, total=total) for stage in (*_STAGES, "report")}
        first_alert = reports_asked = False
        last: tuple[Any, ...] = ()
        moved = told = nudged = time.monotonic()
        while True:
            done, outbox = _progress(database, names, airflow.home)
            for stage in _STAGES:
                bars.update(tasks[stage], completed=done.get(stage, 0))
            bars.update(tasks["report"], completed=outbox.n_reports)
            if outbox.n_alerts and not first_alert:
                first_alert = True
                console.print(f"first alert after {time.monotonic() - since:.0f} s")
            finished = all(done.get(stage, 0) >= total for stage in _STAGES)
            if finished and not reports_asked:
                airflow.trigger("report")
                reports_asked = True
            if finished and not outbox.n_pending and outbox.n_reports >= total:
                break
            now, state = time.monotonic(), (tuple(done.items()), tuple(outbox))
            moved, last = (moved, last) if state == last else (now, state)
            if now - told > _TELL_SECONDS and not console.is_terminal:
                told = now
                console.print(", ".join(f"{stage} {done.get(stage, 0)}/{total}" for stage in _STAGES))
            if now - max(moved, nudged) > _NUDGE_SECONDS:
                nudged = now
                _require_motion(airflow)
                airflow.trigger("maintain")  # emits what was missed
            _require_progress(airflow.home, moved)
            time.sleep(1)
    console.print(f"{total} windows through every stage after {time.monotonic() - since:.0f} s")


def _progress(database: Database, names: list[str], home: Path) -> tuple[dict[str, int], Any]:
    try:
        with database.transaction() as connection:
            done = {row.stage: row.n for row in fetch(connection, "progress/stages", {"deployments": names})}
            return done, fetch(connection, "progress/outbox")[0]
    except StoreError:
        _require_progress(home, time.monotonic())
        raise


def _require_motion(airflow: AirflowStack) -> None:
    for _ in range(_STUCK_CHECKS):
        if not airflow.is_stuck():
            return
        time.sleep(10)
    raise EmbeddedStackError(
        "tasks are queued and none starts: a process of Airflow's executor was killed. `make up` starts it again and "
        "goes on where it stopped"
    )


def _require_progress(home: Path, moved: float) -> None:
    for name in processes.names(home):
        if not processes.is_running(home, name):
            raise EmbeddedStackError(
                f"{name} ended; `make up` starts it again. The end of {processes.log_file(home, name)}:\n"
                f"{processes.last_lines(home, name)}"
            )
    if time.monotonic() - moved > _PATIENCE_SECONDS:
        raise EmbeddedStackError(
            f"nothing has moved for {_PATIENCE_SECONDS // 60} minutes; look at the failed runs in Airflow and at "
            f"{processes.log_file(home, 'scheduler')}"
        )


def tell(console: Console, database: Database, airflow: AirflowStack, home: Path) -> None:
    """Print where everything is, what was found, and what to try."""
    secrets = stack_home.secrets(home)
    console.print(f"\nAirflow: {airflow.url}  login admin, password {secrets['admin']}", markup=False)
    console.print(f"llmmon in Airflow: {airflow.url}/plugin/llmmon", markup=False)
    with database.transaction() as connection:
        alerts = fetch(connection, "alert/told")
    console.print(f"\nAlerts ({len(alerts)}):" if alerts else "\nNo alert.")
    for alert in alerts:
        console.print(f"  {alert.sentence}", markup=False)
        console.print(f"    {alert.severity}; {alert.deliveries or 'kept here, no channel'}", markup=False, style="dim")
    inbox = home / "inbox"
    received = sorted(inbox.iterdir()) if inbox.exists() else []
    if received:
        n_slack = sum(path.name.endswith("slack.json") for path in received)
        console.print(
            f"\nReceived in the demo's inbox {inbox}: {n_slack} Slack messages, {len(received) - n_slack} e-mails",
            markup=False,
        )
    server = Postgres(home, port=stack_home.port("postgres", 5439), password=secrets["postgres"])
    console.print("\nAs the auditor, who can read and change nothing:")
    console.print(f"  {server.psql()} {stack_home.url(home, 'auditor', 'llmmon')}", markup=False)
    for query in _QUERIES:
        console.print(f"    {query}", markup=False)
    console.print("\nThe audit trail is sealed, and its heads are signed by a process outside the pipeline:")
    console.print("  llmmon audit verify", markup=False)
    console.print()
