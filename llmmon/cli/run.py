"""Windows without Airflow."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import Progress, TaskID

from llmmon.channels.environment import connection_from_environment
from llmmon.cli import context
from llmmon.config import Config
from llmmon.embedded import home
from llmmon.errors import ConfigError
from llmmon.pipeline.quickstart import config_for_file, config_reading, file_formats
from llmmon.pipeline.run_windows import run_windows
from llmmon.store.database import Database, fetch
from llmmon.store.migrate import upgrade


@click.command()
@click.option("-w", "--window", "window_text", metavar="START[/END]", help=context.WINDOW_HELP)
@click.option(
    "-s",
    "--source",
    "files",
    multiple=True,
    metavar="[NAME=]FILE",
    help="A log file of your own. With --config, what the source NAME reads in place of its own; may be repeated.",
)
@click.option(
    "--format",
    "format_name",
    default="openai_jsonl",
    show_default=True,
    help="Format of FILE, without --config: a source that needs only a path (`llmmon plugins sources`).",
)
@click.option("--window-hours", default=1.0, show_default=True, help="Length of a window, with --source.")
@context.config_option
@context.database_option
@context.json_option
@click.pass_context
def run(
    ctx: click.Context,
    window_text: str | None,
    files: tuple[str, ...],
    format_name: str,
    window_hours: float,
    config_path: Path,
    database_url: str | None,
    as_json: bool,
) -> None:
    """Take windows through every stage here and now, without Airflow.

    With --source FILE nothing needs to be set up: what the file logs decides what is measured, and a local Postgres is
    started for the time being. With --source NAME=FILE and --config, the source NAME of that configuration reads FILE
    in place of its own path, and sources that are not named are left alone; NAME may be left out when there is only
    one. Without --window every window in which there is a request is taken.
    """
    if not files:
        config = context.configuration(config_path)
    elif ctx.get_parameter_source("config_path") is ParameterSource.COMMANDLINE:
        if ctx.get_parameter_source("format_name") is ParameterSource.COMMANDLINE:
            raise ConfigError("--format: the configuration says what its sources read; leave out --format or --config")
        config = config_reading(context.configuration(config_path), files)
    else:
        config = _config_for(files, format_name, window_hours)
    windows = None if window_text is None else context.windows(config, window_text)
    with ExitStack() as stack:
        url = database_url or context.local_database()
        if url is None:
            context.use_local_key()
            url = stack.enter_context(home.temporary_postgres())
            upgrade(url)
        database = context.open_database(url)
        bars = stack.enter_context(
            Progress(console=Console(stderr=True), transient=True, disable=not context.interactive())
        )
        tasks: dict[str, TaskID] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        result = run_windows(database, config, windows, resolve=connection_from_environment, progress=progress)
        measured = _measured(database, list(config.deployments))
        if files:
            _warn_of_company(database, config)
    if as_json:
        context.print_json({"run": result, "measurements": measured["measurements"], "alerts": measured["alerts"]})
        return
    for batch in result.ingested:
        click.echo(
            f"{batch.source}: {batch.n_in} rows read: {batch.n_new} new, {batch.n_dup} already there, "
            f"{batch.n_bad} quarantined, {batch.n_held} held by the gate"
        )
        for kind, n in batch.passed_over.items():
            click.echo(f"{batch.source}: passed over, because they are no requests: {n} x {kind}")
    for failure in result.replay_failures:
        click.echo(f"not replayed: {failure}", err=True)
    for (deployment, window), rows in itertools.groupby(
        measured["measurements"], key=lambda row: (row["deployment"], row["window_start"])
    ):
        click.echo(f"\n{deployment}, window from {window:%Y-%m-%d %H:%M} UTC")
        context.print_rows(("monitor", "value", "95% interval", "n", "unit", "remark"), [_line(row) for row in rows])
    click.echo("")
    for alert in measured["alerts"]:
        click.echo(f"alert {alert['alert_id']} ({alert['severity']}): {alert['sentence']}")
    if not measured["alerts"]:
        click.echo("no alert")


def _config_for(files: tuple[str, ...], format_name: str, window_hours: float) -> Config:
    if len(files) > 1:
        raise ConfigError("--source: several files need --config, which says what each is; expected NAME=FILE")
    if format_name not in file_formats():
        raise ConfigError(f"--format: {format_name!r} is none; expected one of {', '.join(file_formats())}")
    return config_for_file(Path(files[0]), format_name=format_name, window_hours=window_hours)


def _warn_of_company(database: Database, config: Config) -> None:
    """Say when the database holds requests of the same deployments that are not of the file."""
    known = {"deployments": list(config.deployments), "sources": list(config.sources)}
    with database.transaction() as connection:
        for row in fetch(connection, "request_log/other_sources", known):
            click.echo(
                f"the figures of {row.deployment} include {row.n} requests that were loaded from elsewhere into the "
                "same database; LLMMON_HOME=<empty folder> keeps a file by itself",
                err=True,
            )


def _line(row: dict[str, Any]) -> tuple[object, ...]:
    stream = row["monitor"] if row["segment"] == "all" else f"{row['monitor']} {row['segment']}"
    bounds = ["-" if row[side] is None else f"{row[side]:.4g}" for side in ("low", "high")]
    interval = None if bounds == ["-", "-"] else " to ".join(bounds)
    return stream, row["value"], interval, row["n"], row["unit"], row["reason"] or ""


def _measured(database: Database, deployments: list[str]) -> dict[str, list[dict[str, Any]]]:
    with database.transaction() as connection:
        return {
            name: [dict(row._mapping) for row in fetch(connection, statement, {"deployments": deployments})]
            for name, statement in (("measurements", "measurement/newest_windows"), ("alerts", "alert/of_deployments"))
        }
