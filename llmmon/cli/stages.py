"""One verb per stage of the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.progress import track

from llmmon.channels.environment import connection_from_environment
from llmmon.cli import context
from llmmon.config import Config
from llmmon.errors import GateError
from llmmon.model import Window
from llmmon.pipeline import (
    deliver as deliver_stage,
)
from llmmon.pipeline import (
    detect as detect_stage,
)
from llmmon.pipeline import (
    draw_sample,
    run_replay,
    score_responses,
)
from llmmon.pipeline import ingest as ingest_stage
from llmmon.pipeline import (
    measure as measure_stage,
)
from llmmon.store.database import Database

Step = Callable[[Database, Config, str, Window], Any]


def _window_verb(name: str, summary: str, *steps: Step) -> click.Command:
    """Make the verb that runs `steps` over windows and deployments."""

    @click.command(name, help=summary)
    @context.window_option
    @context.deployment_option
    @context.config_option
    @context.database_option
    @context.json_option
    def verb(
        window_text: str, deployments: tuple[str, ...], config_path: Path, database_url: str | None, as_json: bool
    ) -> None:
        config = context.configuration(config_path)
        database = context.open_database(database_url)
        jobs = [
            (deployment, window)
            for window in context.windows(config, window_text)
            for deployment in context.chosen(config, deployments)
            if config.deployments[deployment].is_active(window)
        ]
        results = []
        for deployment, window in track(jobs, description=name, disable=not context.interactive(), transient=True):
            for step in steps:
                result = step(database, config, deployment, window)
            results.append({"deployment": deployment, "window": str(window), "result": result})
        _show(results, as_json)

    return verb


@click.command()
@click.option("-s", "--source", "sources", multiple=True, metavar="NAME", help="Only this one; may be repeated.")
@context.config_option
@context.database_option
@context.json_option
def ingest(sources: tuple[str, ...], config_path: Path, database_url: str | None, as_json: bool) -> None:
    """Load what is new in the sources: every row becomes new, duplicate, quarantined or, with its batch, held.

    Exit code 4 when a batch is held: `llmmon batch list` shows it.
    """
    config = context.configuration(config_path)
    database = context.open_database(database_url)
    results: list[dict[str, Any]] = [
        {"source": source, "result": ingest_stage.ingest_source(database, config, source)}
        for source in sources or tuple(config.sources)
    ]
    _show(results, as_json)
    if any(row["result"].n_held for row in results):
        click.get_current_context().exit(GateError.exit_code)


@click.command()
@context.deployment_option
@context.config_option
@context.database_option
@context.json_option
def detect(deployments: tuple[str, ...], config_path: Path, database_url: str | None, as_json: bool) -> None:
    """Turn measurements into evidence, and evidence into alerts within the error budget."""
    config = context.configuration(config_path)
    database = context.open_database(database_url)
    results = [
        {"deployment": name, "result": detect_stage.detect(database, config, name)}
        for name in context.chosen(config, deployments)
    ]
    _show(results, as_json)


@click.command()
@context.config_option
@context.database_option
@context.json_option
def deliver(config_path: Path, database_url: str | None, as_json: bool) -> None:
    """Send the alerts that wait in the outbox; every attempt is recorded."""
    config = context.configuration(config_path)
    database = context.open_database(database_url)
    result = deliver_stage.deliver(database, config, connection_from_environment)
    _show([{"outbox": "alerts", "result": result}], as_json)


def _replay(database: Database, config: Config, deployment: str, window: Window) -> Any:
    result = run_replay.run_replay(database, config, deployment, window)
    run_replay.finish_replay(database, config, deployment, window)
    return result


def _show(results: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        context.print_json(results)
        return
    for row in results:
        place = " ".join(str(row[key]) for key in row if key != "result")
        counts = ", ".join(f"{key} {value}" for key, value in vars(row["result"]).items() if value is not None)
        click.echo(f"{place}: {counts}")


VERBS = (
    ingest,
    _window_verb(
        "sample", "Draw the requests to replay; the same window always draws the same.", draw_sample.draw_sample
    ),
    _window_verb("replay", "Replay the sample on every lane; what is done already is not run again.", _replay),
    _window_verb("score", "Judge responses, logged and replayed, one at a time.", score_responses.score_responses),
    _window_verb("measure", "Reduce windows to values with intervals.", measure_stage.measure),
    detect,
    deliver,
)
